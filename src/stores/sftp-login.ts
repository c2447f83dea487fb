/** As whom a store on an SFTP server is opened: key or password of the system file, else what the ssh program would use. */
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import { HoldfastError } from '../failures.ts';
import type { SecretRef, StoreAddress } from '../system/types.ts';
import { isMissing } from './directory-errors.ts';

export type SftpConfig = Extract<StoreAddress, { kind: 'sftp' }>;

export interface SftpLogin {
  readonly privateKey?: string;
  readonly password?: string;
  /** The socket of an SSH agent. */
  readonly agent?: string;
}

const OWN_KEYS = ['id_ed25519', 'id_ecdsa', 'id_rsa'];

/** Throws BadInput, which never repeats a key, and what `resolveSecret` throws. */
export async function sftpLogin(
  config: SftpConfig,
  resolveSecret: (ref: SecretRef) => Promise<string>,
): Promise<SftpLogin> {
  const { privateKey, password, name } = config;
  const login: { privateKey?: string; password?: string } = {};
  if (privateKey !== undefined) login.privateKey = checkedKey(`${(await resolveSecret(privateKey)).trim()}\n`, name);
  if (password !== undefined) login.password = (await resolveSecret(password)).replace(/\r?\n$/, '');
  if (privateKey !== undefined || password !== undefined) return login;
  const agent = process.env['SSH_AUTH_SOCK'];
  const own = await ownKey(name);
  if (agent === undefined && own === undefined) {
    throw new HoldfastError('BadInput', `The store ${name} names neither privateKey nor password.`, {
      hint: 'Name one in the system file, or have a key in ~/.ssh or an agent at SSH_AUTH_SOCK.',
    });
  }
  return { ...(agent === undefined ? {} : { agent }), ...(own === undefined ? {} : { privateKey: own }) };
}

async function ownKey(name: string): Promise<string | undefined> {
  for (const file of OWN_KEYS) {
    try {
      return checkedKey(await readFile(join(homedir(), '.ssh', file), 'utf8'), name);
    } catch (cause) {
      // A key with a passphrase is the agent's to use.
      if (!isMissing(cause) && !(cause instanceof HoldfastError)) throw cause;
    }
  }
  return undefined;
}

function checkedKey(text: string, name: string): string {
  if (!(ssh2.utils.parseKey(text) instanceof Error)) return text;
  throw new HoldfastError('BadInput', `The privateKey of the store ${name} is no private key without passphrase.`, {
    hint: 'Make one with: ssh-keygen -t ed25519 -N "" -f key',
  });
}
