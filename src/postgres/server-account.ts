/** PostgreSQL's server refuses to run as root: whose account a scratch server gets, and where that may work. */
import { readFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname } from 'node:path';
import { HoldfastError } from '../failures.ts';

export interface ServerAccount {
  readonly uid: number;
  readonly gid: number;
}

const ACCOUNTS = ['postgres', 'nobody'];

/** `postgres`, else `nobody`, when this process is root; otherwise undefined: the server runs as we do. */
export function serverAccount(): ServerAccount | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const entries = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
  for (const wanted of ACCOUNTS) {
    const [, , uid, gid] = entries.find(([name]) => name === wanted) ?? [];
    if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  }
  throw new HoldfastError('ToolMissing', `PostgreSQL does not run as root, and there is no ${ACCOUNTS.join(' or ')}`, {
    hint: 'Create the account postgres, or run the host worker as another user than root.',
  });
}

/**
 * The first directory that the account may enter: the state directory, else where the system keeps large temporary
 * files. Throws PermissionDenied when there is none.
 */
export async function scratchParent(stateDirectory: string, account: ServerAccount | undefined): Promise<string> {
  const candidates = [stateDirectory, '/var/tmp', tmpdir()];
  for (const candidate of candidates) {
    if (await mayEnter(candidate, account)) return candidate;
  }
  throw new HoldfastError('PermissionDenied', `The account of PostgreSQL may enter none of ${candidates.join(', ')}`, {
    hint: 'Make one of them passable for everybody (mode 711), or set TMPDIR.',
  });
}

/** By the mode bits of the directory and all above it. */
export async function mayEnter(directory: string, account: ServerAccount | undefined): Promise<boolean> {
  if (account === undefined) return true;
  for (let at = directory; ; at = dirname(at)) {
    const facts = await stat(at).catch(() => undefined);
    if (facts === undefined) return false;
    const shift = facts.uid === account.uid ? 6 : facts.gid === account.gid ? 3 : 0;
    if (((facts.mode >> shift) & 1) === 0) return false;
    if (at === dirname(at)) return true;
  }
}
