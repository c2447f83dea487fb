/** Files that systemd reads its units from: after they were exchanged it has to read them again. */
import { stat } from 'node:fs/promises';
import { log } from '../observe/log.ts';
import { unitManager } from './manager.ts';

/** The load path of system units (systemd.unit(5)), as far as people and packages write there. */
const UNIT_DIRECTORIES = [
  '/etc/systemd/system',
  '/usr/local/lib/systemd/system',
  '/usr/lib/systemd/system',
  '/lib/systemd/system',
];

/** Whether this file or tree is, or lies in, or holds a place of units; enablement is links in such a place, too. */
export function holdsUnits(path: string): boolean {
  const own = path.replace(/\/+$/, '');
  return UNIT_DIRECTORIES.some((place) => own === place || own.startsWith(`${place}/`) || place.startsWith(`${own}/`));
}

/** `bootedAt` as in sd_booted(3): the directory is there when systemd runs this machine, and nowhere else. */
export async function isBootedBySystemd(bootedAt = '/run/systemd/system'): Promise<boolean> {
  return stat(bootedAt).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

/**
 * Has systemd read its units again when these are some. Where that is refused the files are in place all the same, so it
 * is told in the log and undoes nothing.
 */
export async function readUnitsAgain(path: string, signal: AbortSignal): Promise<void> {
  if (!holdsUnits(path) || !(await isBootedBySystemd())) return;
  try {
    await unitManager({ scope: 'system' }).reload(signal);
  } catch (error) {
    signal.throwIfAborted();
    log('systemd').warn({ err: error, path }, 'systemd has not read its units again: run `systemctl daemon-reload`');
  }
}
