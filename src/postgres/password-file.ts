/** A password for one program, in a file that nobody else can open and that no crash can leave behind. */
import { closeSync, constants, openSync, unlinkSync, writeSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** In memory where there is such a place. */
const PLACES = ['/dev/shm', tmpdir()];
/** Of the first file beyond the standard three. */
const DESCRIPTOR = 3;

/**
 * Calls `start` with a descriptor to hand down and the variable that names it. The file (mode 0600) has lost its name
 * before the program starts: it is there as long as the descriptor is open, and gone with it. libpq wants a plain file,
 * which it is. Linux.
 */
export async function withPasswordFile<T>(
  password: string | undefined,
  start: (descriptors: number[], env: Record<string, string>) => T | Promise<T>,
): Promise<T> {
  if (password === undefined) return start([], {});
  const descriptor = openNameless(passwordLine(password));
  try {
    return await start([descriptor], { PGPASSFILE: `/proc/self/fd/${DESCRIPTOR}` });
  } finally {
    closeSync(descriptor);
  }
}

/** For any host, port, database and user. PostgreSQL documentation, "The Password File": `:` and `\` are escaped. */
export function passwordLine(password: string): string {
  return `*:*:*:*:${password.replaceAll(/[\\:]/g, (character) => `\\${character}`)}\n`;
}

function openNameless(text: string): number {
  let failure: unknown;
  for (const place of PLACES) {
    const name = path.join(place, `holdfast-password-${randomBytes(9).toString('hex')}`);
    try {
      const descriptor = openSync(name, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600);
      unlinkSync(name);
      writeSync(descriptor, text);
      return descriptor;
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}
