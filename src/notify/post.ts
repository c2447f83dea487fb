/** One POST to an address that is a secret: it is in no error, and nothing is followed or kept of the answer. */
import { HoldfastError } from '../failures.ts';
import { httpAsk, networkCode, type HttpAnswer } from './http-ask.ts';

export interface PostOptions {
  readonly channel: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly signal: AbortSignal;
  /** Default 20 seconds. */
  readonly limitMs?: number;
}

const LIMIT_MS = 20_000;
/** What a later attempt may well get another answer to. */
const LATER = [408, 425, 429];
const PROXY_WANTS_PASSWORD = 407;
const LONGEST_WAIT_SECONDS = 3600;

/**
 * Resolves when the receiver has taken it (2xx). Throws ChannelUnreachable when a later attempt may succeed, with
 * `retryAfterSeconds` where the receiver asks for a pause, and ChannelRefused when it will not.
 */
export async function post(
  url: string,
  { channel, headers, body, signal, limitMs = LIMIT_MS }: PostOptions,
): Promise<void> {
  const address = addressOf(url, channel);
  const limit = AbortSignal.timeout(limitMs);
  let answer: HttpAnswer;
  try {
    const all = { 'content-type': 'application/json', ...headers };
    answer = await httpAsk(address, { method: 'POST', headers: all, body, signal: AbortSignal.any([signal, limit]) });
  } catch (error) {
    signal.throwIfAborted();
    // The error itself, and its causes, may hold the address.
    throw new HoldfastError(
      'ChannelUnreachable',
      `${channel} ${limit.aborted ? `gave no answer in ${limitMs / 1000} s` : whyOf(error)}`,
    );
  }
  const { status } = answer;
  if (status >= 200 && status < 300) return;
  if (status === PROXY_WANTS_PASSWORD) {
    throw new HoldfastError('ChannelRefused', `the proxy on the way to ${channel} wants an account (407)`, {
      hint: 'Write it into HTTPS_PROXY or HTTP_PROXY of the worker, http://user:password@proxy:port, or name the receiver in NO_PROXY.',
      details: { status },
    });
  }
  if (asksToWait(status)) {
    const wait = retryAfterSeconds(answer.retryAfter, Date.now());
    throw new HoldfastError('ChannelUnreachable', `${channel} answered ${status}`, {
      details: { status, ...(wait === undefined ? {} : { retryAfterSeconds: wait }) },
    });
  }
  const what = status >= 300 && status < 400 ? 'answered with another address, which is not followed' : 'answered';
  throw new HoldfastError('ChannelRefused', `${channel} ${what} (${status})`, { details: { status } });
}

function asksToWait(status: number): boolean {
  return status >= 500 || LATER.includes(status);
}

/**
 * Whether the receiver answers at all, asked for nothing (HEAD, which is safe by RFC 9110, 9.2.1): what it would say to a message
 * is not known by that, but for one that asks to come again.
 */
export async function answers(url: string, channel: string, signal: AbortSignal): Promise<boolean> {
  try {
    const { status } = await httpAsk(addressOf(url, channel), { method: 'HEAD', signal });
    return status !== PROXY_WANTS_PASSWORD && !asksToWait(status);
  } catch {
    return false;
  }
}

function addressOf(url: string, channel: string): URL {
  const address = URL.canParse(url) ? new URL(url) : undefined;
  if (address !== undefined && ['http:', 'https:'].includes(address.protocol) && address.username === '')
    return address;
  throw new HoldfastError('SecretMissing', `the address of ${channel} is none that can be posted to`, {
    hint: 'The secret must be a whole address that begins with https://, without a user in it.',
  });
}

/** By RFC 9110, 10.2.3: seconds or a date. At most an hour. */
export function retryAfterSeconds(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined;
  const text = header.trim();
  // Other texts `Date.parse` would find a date in.
  const date = text.endsWith('GMT') ? Date.parse(text) : Number.NaN;
  const seconds = /^\d+$/.test(text) ? Number(text) : (date - nowMs) / 1000;
  return Number.isFinite(seconds) ? Math.min(Math.max(Math.ceil(seconds), 0), LONGEST_WAIT_SECONDS) : undefined;
}

/** Only codes of the system and of TLS, which name nobody. */
function whyOf(error: unknown): string {
  const code = networkCode(error);
  return code === undefined ? 'could not be reached' : `could not be reached (${code})`;
}
