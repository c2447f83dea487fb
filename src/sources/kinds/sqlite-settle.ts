/** Before a SQLite file changes its name: nobody uses it, and its log is part of it. */
import { open } from 'node:fs/promises';
import { HoldfastError } from '../../failures.ts';
import { holdersOf } from '../open-files.ts';
import { exists } from '../replacement.ts';
import { runSqlite } from '../sqlite/job.ts';
import type { KindContext } from './component.ts';

/**
 * With its users stopped, everything committed is brought into the file itself, so that the exchange of one name is the
 * whole swap. A database that is too broken for that keeps its sidecars, which then change sides one by one.
 */
export async function settleUnused(live: string, context: KindContext): Promise<void> {
  if (!(await exists(live))) return;
  const holders = await holdersOf(live);
  if (holders.length > 0) {
    const names = holders.map(({ pid, name }) => `${name} (process ${pid})`).join(', ');
    throw new HoldfastError('VolumeInUse', `${live} is in use by ${names}`, {
      hint: 'Stop what uses the database, or name it in usedBy of the component.',
    });
  }
  if ((await settle(live, context)) === 'busy') {
    throw new HoldfastError('VolumeInUse', `${live} is in use by another process`, {
      hint: 'Stop what uses the database, or name it in usedBy of the component.',
    });
  }
}

/** Repeatable. `broken`: it was not opened, or could not be read; nothing is lost of what lies beside it. */
export async function settle(path: string, context: KindContext): Promise<'settled' | 'busy' | 'broken'> {
  // SQLite would throw away the log of what it takes for no database.
  if (!(await looksLikeSqlite(path))) return 'broken';
  try {
    const { busy } = await runSqlite('settle', { path }, { signal: context.signal, about: path });
    return busy ? 'busy' : 'settled';
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    if (error.code === 'SourceChanging') return 'busy';
    if (error.code === 'SourceCorrupt') return 'broken';
    throw error;
  }
}

/** The first bytes of every database (sqlite.org/fileformat.html). */
const MAGIC = Buffer.from('SQLite format 3\0');

export async function looksLikeSqlite(path: string): Promise<boolean> {
  const handle = await open(path, 'r');
  try {
    const { buffer } = await handle.read(Buffer.alloc(MAGIC.length), 0, MAGIC.length, 0);
    return buffer.equals(MAGIC);
  } finally {
    await handle.close();
  }
}
