/** A mail server on loopback with a certificate of the tests: keeps what it takes, refuses what it is told to. */
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';

const TLS = new URL('../stores/tls/', import.meta.url);
export const MAIL_CA = new URL('cert.pem', TLS).pathname;

export interface Mail {
  readonly from: string;
  readonly to: readonly string[];
  readonly secure: boolean;
  readonly user: string | undefined;
  readonly text: string;
}

export interface MailServer extends AsyncDisposable {
  readonly port: number;
  readonly mails: Mail[];
}

export interface MailServerOptions extends SMTPServerOptions {
  /** Who may send; default: everybody, unauthenticated. */
  readonly account?: { readonly user: string; readonly password: string };
  /** The code by which recipients are refused, or some of them, by address. */
  readonly refuse?: number | ((address: string) => number | undefined);
}

export async function startMailServer(options: MailServerOptions = {}): Promise<MailServer> {
  const { account, refuse, ...rest } = options;
  const mails: Mail[] = [];
  const server = new SMTPServer({
    key: readFileSync(new URL('key.pem', TLS)),
    cert: readFileSync(new URL('cert.pem', TLS)),
    authOptional: account === undefined,
    logger: false,
    closeTimeout: 100,
    ...rest,
    onAuth: (given, _session, done) => {
      const isRight = given.username === account?.user && given.password === account?.password;
      if (isRight) done(null, { user: given.username });
      else done(new Error(`no such account: ${String(given.username)} ${String(given.password)}`));
    },
    onRcptTo: ({ address }, _session, done) => {
      const responseCode = typeof refuse === 'function' ? refuse(address) : refuse;
      if (responseCode === undefined) done();
      else done(Object.assign(new Error('not here'), { responseCode }));
    },
    onData: (stream, session, done) => {
      const parts: Buffer[] = [];
      stream.on('data', (part: Buffer) => parts.push(part));
      stream.on('end', () => {
        const { mailFrom, rcptTo } = session.envelope;
        mails.push({
          from: mailFrom === false ? '' : mailFrom.address,
          to: rcptTo.map(({ address }) => address),
          secure: session.secure,
          user: typeof session.user === 'string' ? session.user : undefined,
          text: Buffer.concat(parts).toString('utf8'),
        });
        done();
      });
    },
  });
  // A client that gives up in the middle is what some tests are about.
  server.on('error', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.server.address() as AddressInfo).port,
    mails,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}
