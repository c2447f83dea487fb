/**
 * A directory for a scratch server, gone afterwards whatever happens. It holds restored data in the clear, so a note in
 * the state directory says where it lies before there is anything.
 */
import { randomBytes } from 'node:crypto';
import { chown, mkdir, readdir, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { readJson, removeDurably, writeDurably } from '../docker/durable-file.ts';
import { isAlive, ownIdentity, parseIdentity, printIdentity } from '../docker/process-identity.ts';
import { appointHeir, endServerIn } from './scratch-process.ts';
import { scratchParent, serverAccount, type ServerAccount } from './server-account.ts';

export interface ScratchPlace {
  /** Owned by the account, closed to others. The server's data directory is `dataOf` it. */
  readonly directory: string;
  /** Undefined: the server runs as we do. */
  readonly account: ServerAccount | undefined;
}

const PREFIX = 'holdfast-scratch-';

const note = z.object({ format: z.literal(1), owner: z.string(), directory: z.string() });

/**
 * Gives `use` an empty directory, and removes it when `use` has ended, also by a failure; when this process is killed, a
 * server that runs in it is ended and it is removed by its heir. What killed processes left is removed first. Throws
 * PermissionDenied when there is no place for it.
 */
export async function withScratchPlace<T>(
  stateDirectory: string,
  use: (place: ScratchPlace) => Promise<T>,
): Promise<T> {
  await sweepScratchServers(stateDirectory);
  const account = serverAccount();
  const name = PREFIX + randomBytes(6).toString('hex');
  const directory = join(await scratchParent(stateDirectory, account), name);
  const notePath = join(notesIn(stateDirectory), `${name}.json`);
  await writeDurably(notePath, { format: 1, owner: printIdentity(ownIdentity()), directory });
  const heir = appointHeir(directory);
  try {
    await mkdir(directory, { mode: 0o700 });
    if (account !== undefined) await chown(directory, account.uid, account.gid);
    return await use({ directory, account });
  } finally {
    await rm(directory, { recursive: true, force: true });
    await removeDurably(notePath);
    heir.kill('SIGKILL');
  }
}

function notesIn(stateDirectory: string): string {
  return join(stateDirectory, 'scratch-servers');
}

/** Ends and removes the scratch servers whose process is dead; those of living processes are left. Repeatable. */
export async function sweepScratchServers(stateDirectory: string): Promise<void> {
  const notes = await readdir(notesIn(stateDirectory)).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  });
  for (const file of notes.filter((name) => name.endsWith('.json'))) {
    const path = join(notesIn(stateDirectory), file);
    const found = note.safeParse(await readJson(path));
    if (!found.success) continue;
    const { owner, directory } = found.data;
    const identity = parseIdentity(owner);
    // Nothing is removed that has not a name of ours.
    if (identity === undefined || isAlive(identity) || !basename(directory).startsWith(PREFIX)) continue;
    await endServerIn(directory);
    await rm(directory, { recursive: true, force: true });
    await removeDurably(path);
  }
}
