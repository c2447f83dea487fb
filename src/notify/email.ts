/** E-mail by SMTP. */
import { readFile } from 'node:fs/promises';
import nodemailer from 'nodemailer';
import { HoldfastError } from '../failures.ts';
import type { Notice } from '../policy/notices.ts';
import { fillTemplate } from '../policy/templates.ts';
import type { EmailChannel } from '../system/notify-types.ts';
import { resolveSecret } from '../system/secrets.ts';
import type { Delivered, DeliveryMemory } from './deliver.ts';
import { addressIn, answersIn, Recipients, type RecipientAnswer, type RejectedFacts } from './recipients.ts';

const LIMIT_MS = 20_000;
/** Of the library: what another attempt does not help. */
const FINAL = ['EAUTH', 'ENOAUTH', 'EENVELOPE', 'EMESSAGE', 'ECONFIG', 'ETLS', 'EREQUIRETLS'];

/**
 * Resolves when no recipient is left whom waiting could help, and at least one has it; those whom the server refused for
 * good are named. One that is asked to come again (4yz) fails the attempt as ChannelUnreachable: the next one tells only
 * those who do not have it yet, with the same message, whose own id is that of the notice. Throws ChannelUnreachable or
 * ChannelRefused, by the library's and the server's codes alone: a server's words may repeat what was sent to it.
 */
export async function sendEmail(
  channel: EmailChannel,
  notice: Notice,
  { signal, memory }: { readonly signal: AbortSignal; readonly memory?: DeliveryMemory | undefined },
): Promise<Delivered> {
  const recipients = new Recipients(channel.to.map(addressIn), memory?.kept ?? []);
  if (recipients.open.length > 0) {
    const answers = await sendTo(channel, notice, recipients.open, signal);
    recipients.answered(answers);
    memory?.keep(recipients.kept());
  }
  return recipients.outcome(channel.name);
}

async function sendTo(
  channel: EmailChannel,
  notice: Notice,
  to: readonly string[],
  signal: AbortSignal,
): Promise<RecipientAnswer[]> {
  const transport = await transportOf(channel);
  const subject = channel.subject === undefined ? notice.title : fillTemplate(channel.subject, notice);
  const text = channel.template === undefined ? notice.text : fillTemplate(channel.template, notice);
  const sending = transport.sendMail({
    from: channel.from,
    to: [...channel.to],
    envelope: { from: addressIn(channel.from), to: [...to] },
    subject: subject.replaceAll(/[\r\n]+/g, ' '),
    text,
    messageId: `<${notice.id}@holdfast.${notice.system}>`,
    date: new Date(notice.at),
    headers: {
      'X-Holdfast-Event': notice.type,
      'X-Holdfast-System': notice.system,
      'Auto-Submitted': 'auto-generated',
    },
  });
  try {
    return answersIn(to, await untilAborted(sending, signal));
  } catch (error) {
    signal.throwIfAborted();
    // All of them were refused, each for a reason of its own.
    const { rejectedErrors } = error as Partial<RejectedFacts>;
    if (rejectedErrors !== undefined && rejectedErrors.length > 0) return answersIn(to, { rejectedErrors });
    throw failureOf(channel.name, error);
  } finally {
    transport.close();
  }
}

async function transportOf(channel: EmailChannel) {
  const { user, password, caFile, tls } = channel;
  const pass = password === undefined ? undefined : await resolveSecret(password);
  const ca = caFile === undefined ? undefined : await readAuthority(caFile);
  return nodemailer.createTransport({
    host: channel.server,
    port: channel.port,
    secure: tls === 'tls',
    requireTLS: tls === 'starttls',
    ignoreTLS: tls === 'none',
    connectionTimeout: LIMIT_MS,
    greetingTimeout: LIMIT_MS,
    socketTimeout: LIMIT_MS,
    disableFileAccess: true,
    disableUrlAccess: true,
    ...(user === undefined || pass === undefined ? {} : { auth: { user, pass } }),
    ...(ca === undefined ? {} : { tls: { ca } }),
  });
}

/** Whether the server lets its account in, without a message. */
export async function mailServerAnswers(channel: EmailChannel, signal: AbortSignal): Promise<boolean> {
  try {
    const transport = await transportOf(channel);
    try {
      return await untilAborted(transport.verify(), signal);
    } finally {
      transport.close();
    }
  } catch {
    return false;
  }
}

/** The library has no way to break off: what is under way then ends by its own limits, heard by nobody. */
async function untilAborted<T>(sending: Promise<T>, signal: AbortSignal): Promise<T> {
  sending.catch(() => undefined);
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(signal.reason as Error);
  signal.addEventListener('abort', abort, { once: true });
  try {
    signal.throwIfAborted();
    return await Promise.race([sending, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

async function readAuthority(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    throw new HoldfastError('SourceMissing', `the certificate authority ${file} could not be read (${code})`);
  }
}

function failureOf(channel: string, error: unknown): HoldfastError {
  const { code, responseCode } = error as { code?: unknown; responseCode?: unknown };
  const told = [code, responseCode].filter((one) => typeof one === 'string' || typeof one === 'number').join(' ');
  const message = `${channel}: the mail was not taken${told === '' ? '' : ` (${told})`}`;
  // A server's 4yz asks to come again (RFC 5321, 4.2.1), whatever the library calls it.
  const asksAgain = typeof responseCode === 'number' && responseCode >= 400 && responseCode < 500;
  const refuses = typeof responseCode === 'number' && responseCode >= 500;
  const isFinal = refuses || (!asksAgain && typeof code === 'string' && FINAL.includes(code));
  return new HoldfastError(isFinal ? 'ChannelRefused' : 'ChannelUnreachable', message);
}
