/** Where Holdfast keeps what belongs to one machine: registered systems, state, the embedded engine, reports, keys. */
import { mkdirSync } from 'node:fs';
import { homedir, hostname } from 'node:os';
import path from 'node:path';
import { HoldfastError } from '../failures.ts';
import type { System } from './types.ts';

/**
 * HOLDFAST_HOME, else /var/lib/holdfast for root, else $XDG_DATA_HOME/holdfast or ~/.local/share/holdfast.
 * Absolute; not created by this call.
 */
export function holdfastHome(environment: NodeJS.ProcessEnv = process.env): string {
  const own = environment['HOLDFAST_HOME'];
  if (own !== undefined && own !== '') return path.resolve(own);
  if (process.getuid?.() === 0) return '/var/lib/holdfast';
  const data = environment['XDG_DATA_HOME'];
  // The XDG specification says that a relative value is to be ignored.
  if (data !== undefined && path.isAbsolute(data)) return path.join(data, 'holdfast');
  return path.join(homedir(), '.local', 'share', 'holdfast');
}

function ensure(...segments: readonly string[]): string {
  const directory = path.join(holdfastHome(), ...segments);
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new HoldfastError('PermissionDenied', `the directory ${directory} could not be made`, {
      cause,
      hint: 'Set HOLDFAST_HOME to a directory this user may write.',
    });
  }
  return directory;
}

/** Pointers to the registered system files. Made with mode 0700 when missing, like all of the following. */
export function systemsDirectory(): string {
  return ensure('systems');
}

/** Journals, caches and scratch copies of one system on this machine. */
export function stateDirectory(system: string): string {
  return ensure('state', system);
}

/** The embedded engine: its database, its lock, its logs. */
export function engineDirectory(): string {
  return ensure('engine');
}

/** Reports of finished operations of one system. */
export function reportsDirectory(system: string): string {
  return ensure('reports', system);
}

/** Key files made by `init` for one system. */
export function keysDirectory(system: string): string {
  return ensure('keys', system);
}

/**
 * Which of the system's hosts this machine is: HOLDFAST_HOST when set, the only host of the system, or the host named
 * like the machine. Throws BadInput when that is not decided.
 */
export function localHost(
  system: Pick<System, 'name' | 'hosts'>,
  environment: NodeJS.ProcessEnv = process.env,
): string {
  const named = environment['HOLDFAST_HOST'];
  if (named !== undefined && named !== '') {
    if (system.hosts.includes(named)) return named;
    throw new HoldfastError('BadInput', `HOLDFAST_HOST is ${named}, which is no host of ${system.name}`, {
      hint: `Set HOLDFAST_HOST to one of: ${system.hosts.join(', ')}.`,
    });
  }
  const [only] = system.hosts;
  if (system.hosts.length === 1 && only !== undefined) return only;
  const own = hostname();
  if (system.hosts.includes(own)) return own;
  throw new HoldfastError('BadInput', `which host of ${system.name} is this machine (${own})?`, {
    hint: `Set HOLDFAST_HOST to one of: ${system.hosts.join(', ')}.`,
  });
}
