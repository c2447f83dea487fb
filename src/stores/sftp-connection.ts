/** The SSH connection of a store: made when it is needed, checked by the server's fingerprint, made again when it is lost. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import ssh2 from 'ssh2';
import type { Client, ConnectConfig, SFTPWrapper } from 'ssh2';
import { HoldfastError } from '../failures.ts';
import { SftpChannel } from './sftp-channel.ts';
import { ConnectionLostError } from './sftp-errors.ts';
import type { SftpLogin } from './sftp-login.ts';

const READY_TIMEOUT_MS = 20_000;
const KEEPALIVE_MS = 10_000;
const KEEPALIVES_UNANSWERED = 3;

export interface SftpTarget {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** `SHA256:…` */
  readonly hostKey: string;
}

/**
 * A server has a key of each type and shows one; the fingerprint may be that of another. So the types are gone through,
 * and nothing is said to a server that has not shown the right one. (RFC 4253 section 7.1)
 */
const KEY_TYPES: readonly (readonly string[])[] = [
  ['ssh-ed25519'],
  ['ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp384', 'ecdsa-sha2-nistp521'],
  ['rsa-sha2-512', 'rsa-sha2-256', 'ssh-rsa'],
];

export class SftpConnection {
  readonly #target: SftpTarget;
  readonly #login: SftpLogin;
  readonly #most: number;
  #client: Promise<Client> | undefined;
  #channels: Promise<SftpChannel>[] = [];
  /** Fewer than asked for, once the server has refused one more. */
  #limit: number;
  #closed = false;

  /** `channels`: sessions side by side, because a server works through one after the other. */
  constructor(target: SftpTarget, login: SftpLogin, channels: number) {
    this.#target = target;
    this.#login = login;
    this.#most = channels;
    this.#limit = channels;
  }

  /**
   * The session with the least to do. Throws StoreDenied when the server is not the one of the fingerprint or refuses the
   * login, ConnectionLostError and network errors otherwise.
   */
  async channel(): Promise<SftpChannel> {
    if (this.#closed) throw new HoldfastError('Internal', 'the store was closed');
    this.#client ??= this.#connect();
    const client = await this.#client;
    const open = await this.#opened();
    const idle = open.find(({ underWay }) => underWay === 0);
    if (idle !== undefined) return idle;
    if (this.#channels.length < this.#limit) {
      const opening = openChannel(client);
      this.#channels.push(opening);
      const channel = await opening.catch(() => undefined);
      if (channel !== undefined) return channel;
      this.#channels = this.#channels.filter((one) => one !== opening);
      // MaxSessions of the server, or its connection has ended.
      if (open.length > 0) this.#limit = open.length;
    }
    const [least] = (await this.#opened()).sort((a, b) => a.underWay - b.underWay);
    if (least !== undefined) return least;
    this.drop();
    throw new ConnectionLostError('the server opens no SFTP session');
  }

  /** Whatever is under way is rejected; the next request connects anew. */
  drop(cause?: unknown): void {
    const [client, channels] = [this.#client, this.#channels];
    this.#client = undefined;
    this.#channels = [];
    this.#limit = this.#most;
    for (const channel of channels) void channel.then((one) => one.lose(cause), ignore);
    void client?.then((one) => one.destroy(), ignore);
  }

  /** Lets the server end it, for a moment. */
  async close(): Promise<void> {
    this.#closed = true;
    const client = await this.#client?.catch(() => undefined);
    if (client === undefined) return;
    const ended = once(client, 'close', { signal: AbortSignal.timeout(1_000) });
    client.end();
    await ended.catch(ignore);
    this.drop();
  }

  async #opened(): Promise<SftpChannel[]> {
    const open: SftpChannel[] = [];
    for (const opening of [...this.#channels]) {
      const channel = await opening.catch(() => undefined);
      if (channel !== undefined && !channel.isLost) open.push(channel);
      else this.#channels = this.#channels.filter((one) => one !== opening);
    }
    return open;
  }

  #connect(): Promise<Client> {
    const lost = (): void => {
      if (this.#client === connecting) this.drop();
    };
    const connecting = connectToKnown(this.#target, this.#login, lost);
    connecting.catch(lost);
    return connecting;
  }
}

/** After the attempt is over its outcome is nobody's any more. */
function ignore(): void {
  return undefined;
}

async function connectToKnown(target: SftpTarget, login: SftpLogin, lost: () => void): Promise<Client> {
  const shown: string[] = [];
  let refused: readonly string[] = [];
  for (;;) {
    const outcome = await connectOnce(target, login, refused, lost);
    if (outcome instanceof ssh2.Client) return outcome;
    const types = KEY_TYPES.find((some) => some.includes(outcome.type));
    if (outcome.fingerprint !== '') shown.push(`${outcome.fingerprint} (${outcome.type})`);
    if (types === undefined || refused.includes(outcome.type)) throw wrongHost(target, shown);
    refused = [...refused, ...types];
    if (refused.length === KEY_TYPES.flat().length) throw wrongHost(target, shown);
  }
}

interface WrongKey {
  readonly type: string;
  readonly fingerprint: string;
}

/** A connection, or the key of a server that is not the one. */
function connectOnce(
  target: SftpTarget,
  login: SftpLogin,
  refused: readonly string[],
  lost: () => void,
): Promise<Client | WrongKey> {
  return new Promise((resolve, reject) => {
    const client = new ssh2.Client();
    let wrong: WrongKey | undefined;
    let ready = false;
    const hostVerifier = (key: Buffer): boolean => {
      const fingerprint = fingerprintOf(key);
      if (fingerprint === target.hostKey) return true;
      wrong = { type: typeOf(key), fingerprint };
      return false;
    };
    client.once('ready', () => {
      // Without it every small answer waits for a delayed acknowledgement.
      client.setNoDelay(true);
      ready = true;
      resolve(client);
    });
    client.on('error', (cause: Error) => {
      if (ready) lost();
      else if (wrong !== undefined) resolve(wrong);
      else if (refused.length > 0 && /no matching/i.test(cause.message)) resolve({ type: '', fingerprint: '' });
      else reject(cause);
    });
    client.once('close', () => {
      if (ready) lost();
      else if (wrong !== undefined) resolve(wrong);
      else reject(new ConnectionLostError('the server ended the connection'));
    });
    if (login.password !== undefined) answerPrompts(client, login.password);
    client.connect(connectOptions(target, login, refused, hostVerifier));
  });
}

function connectOptions(
  target: SftpTarget,
  login: SftpLogin,
  refused: readonly string[],
  hostVerifier: (key: Buffer) => boolean,
): ConnectConfig {
  return {
    host: target.host,
    port: target.port,
    username: target.user,
    ...login,
    tryKeyboard: login.password !== undefined,
    hostVerifier,
    readyTimeout: READY_TIMEOUT_MS,
    keepaliveInterval: KEEPALIVE_MS,
    keepaliveCountMax: KEEPALIVES_UNANSWERED,
    algorithms: {
      // The platform's own cipher before the one that ssh2 brings along.
      cipher: { prepend: ['aes128-gcm@openssh.com', 'aes256-gcm@openssh.com'], append: [], remove: [] },
      serverHostKey: { remove: [...refused] as never[], append: [], prepend: [] },
    },
  };
}

/** Servers that ask for the password as a question (PAM): it is given to one hidden prompt, and to nothing else. */
function answerPrompts(client: Client, password: string): void {
  client.on('keyboard-interactive', (_name, _instructions, _language, prompts, finish) => {
    finish(prompts.length === 1 && prompts[0]?.echo !== true ? [password] : []);
  });
}

function openChannel(client: Client): Promise<SftpChannel> {
  return new Promise((resolve, reject) => {
    const lost = (): void => reject(new ConnectionLostError('the connection was lost'));
    client.once('close', lost);
    client.sftp((cause, sftp: SFTPWrapper) => {
      client.off('close', lost);
      if (cause === undefined) resolve(new SftpChannel(sftp));
      else reject(cause);
    });
  });
}

function fingerprintOf(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
}

/** The first string of a public key's encoding is its type. (RFC 4253 section 6.6) */
function typeOf(key: Buffer): string {
  return key.subarray(4, 4 + key.readUInt32BE(0)).toString('latin1');
}

function wrongHost(target: SftpTarget, shown: readonly string[]): HoldfastError {
  const what = shown.length === 0 ? 'no key at all' : shown.join(', ');
  return new HoldfastError(
    'StoreDenied',
    `The server ${target.host}:${target.port} is not the one the system file names: it shows ${what} instead of ${target.hostKey}. Nothing was sent to it.`,
    {
      hint: 'Find out why. Only if the server has new keys, put the fingerprint of one as hostKey into the system file.',
    },
  );
}
