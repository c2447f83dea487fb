/**
 * One systemd manager, the machine's or a user's, through its own programs (systemctl(1), journalctl(1)): they know how it is
 * reached on every release, and say why it refuses.
 */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { HoldfastError } from '../failures.ts';
import type { UnitSeen } from '../policy/unit-state.ts';
import { callerOf, managerWords, type ManagerOf } from './account.ts';
import { ownDirectoryIn, parseUnits, PROPERTIES } from './parse.ts';

const run = promisify(execFile);
const ASK_LIMIT_MS = 60_000;
/** A unit's own TimeoutStopSec ends a stop; this is for one that is never to end. */
const STOP_LIMIT_MS = 30 * 60_000;
const OUTPUT_BYTES = 32 * 1024 * 1024;

/**
 * Every method throws SystemdUnreachable where no such manager answers, SystemdRefused with its own words, PermissionDenied.
 * Repeats are harmless: what is up is not started again, what is down not stopped.
 */
export interface UnitManager {
  readonly of: ManagerOf;
  /** One for each, in this order; one that is not there has `load: not-found`. */
  look(units: readonly string[], signal: AbortSignal): Promise<UnitSeen[]>;
  /** Where an administrator's own units lie; by convention where nobody answers. */
  directory(signal: AbortSignal): Promise<string>;
  /** Has it read its unit files again. */
  reload(signal: AbortSignal): Promise<void>;
  /** From now on they are started with the machine, or not any more; nothing is started or stopped by this. */
  enable(units: readonly string[], signal: AbortSignal): Promise<void>;
  disable(units: readonly string[], signal: AbortSignal): Promise<void>;
  /** Has these started, in its own order; returns when that is under way. Earlier failures are forgotten. */
  start(units: readonly string[], signal: AbortSignal): Promise<void>;
  /** Stops and starts them; returns when they are up. */
  restart(units: readonly string[], signal: AbortSignal): Promise<void>;
  /** All of these at once, in its own order; returns when they are down. */
  stop(units: readonly string[], signal: AbortSignal): Promise<void>;
  /** Ends the processes of these at once; one without any is no error. */
  kill(units: readonly string[], signal: AbortSignal): Promise<void>;
  /** The end of its log; empty when the journal has none of it. */
  log(unit: string, lines: number, signal: AbortSignal): Promise<string>;
}

export function unitManager(of: ManagerOf): UnitManager {
  const systemctl = (args: readonly string[], signal: AbortSignal, limitMs = ASK_LIMIT_MS): Promise<string> => {
    const whose = of.scope === 'user' ? ['--user'] : [];
    return call(of, 'systemctl', [...whose, '--no-pager', '--no-ask-password', ...args], { signal, limitMs });
  };
  return {
    of,
    async look(units, signal) {
      if (units.length === 0) return [];
      const seen = parseUnits(await systemctl(['show', `--property=${PROPERTIES.join()}`, '--', ...units], signal));
      if (seen.length === units.length) return seen;
      throw new HoldfastError('SystemdRefused', `asked for ${units.length} units, systemctl told of ${seen.length}`);
    },
    directory: (signal) => directoryOf(of, () => systemctl(['show', '--property=UnitPath', '--value'], signal)),
    async reload(signal) {
      await systemctl(['daemon-reload'], signal);
    },
    async enable(units, signal) {
      await systemctl(['enable', '--', ...units], signal);
    },
    async disable(units, signal) {
      await systemctl(['disable', '--', ...units], signal);
    },
    async start(units, signal) {
      if (units.length === 0) return;
      // Of a unit without a failure to forget it says that it isn't loaded.
      await systemctl(['reset-failed', '--', ...units], signal).catch((error: unknown) => {
        if (!(error instanceof HoldfastError) || error.code !== 'SystemdRefused') throw error;
      });
      await systemctl(['start', '--no-block', '--', ...units], signal);
    },
    async restart(units, signal) {
      await systemctl(['restart', '--', ...units], signal, STOP_LIMIT_MS);
    },
    async stop(units, signal) {
      if (units.length > 0) await systemctl(['stop', '--', ...units], signal, STOP_LIMIT_MS);
    },
    async kill(units, signal) {
      for (const unit of units) {
        // Of a unit that has no process it says so.
        await systemctl(['kill', '--signal=SIGKILL', '--', unit], signal).catch((error: unknown) => {
          if (!(error instanceof HoldfastError) || error.code !== 'SystemdRefused') throw error;
        });
      }
    },
    async log(unit, lines, signal) {
      const which = of.scope === 'user' ? '--user-unit' : '--unit';
      const args = [`${which}=${unit}`, `--lines=${lines}`, '--no-pager', '--quiet', '--output=short-iso'];
      return call(of, 'journalctl', args, { signal, limitMs: ASK_LIMIT_MS });
    },
  };
}

async function directoryOf(of: ManagerOf, ask: () => Promise<string>): Promise<string> {
  const told = await ask().catch((error: unknown) => {
    if (error instanceof HoldfastError && error.code === 'SystemdUnreachable') return '';
    throw error;
  });
  const own = ownDirectoryIn(told.trim(), of.scope);
  if (own !== undefined) return own;
  if (of.scope === 'system') return '/etc/systemd/system';
  const { home = '/', env } = await callerOf(of);
  return path.join(env['XDG_CONFIG_HOME'] ?? path.join(home, '.config'), 'systemd/user');
}

interface CallLimits {
  readonly signal: AbortSignal;
  readonly limitMs: number;
}

async function call(
  of: ManagerOf,
  program: string,
  args: readonly string[],
  { signal, limitMs }: CallLimits,
): Promise<string> {
  const { uid, gid, env } = await callerOf(of);
  const account = uid === undefined || gid === undefined ? {} : { uid, gid };
  try {
    const options = { ...account, env, cwd: '/', signal, timeout: limitMs, maxBuffer: OUTPUT_BYTES };
    const { stdout } = await run(program, [...args], options);
    return stdout;
  } catch (error) {
    signal.throwIfAborted();
    throw failureOf(of, `${program} ${args.find((arg) => !arg.startsWith('-')) ?? ''}`.trim(), error);
  }
}

const NOBODY =
  /not been booted with systemd|Failed to connect to (?:system scope |user scope )?bus|Host is down|No medium found/i;
const MAY_NOT = /Access denied|Permission denied|Interactive authentication required|Operation not permitted/i;

function failureOf(of: ManagerOf, doing: string, cause: unknown): HoldfastError {
  const { code, killed, stderr = '' } = cause as { code?: unknown; killed?: boolean; stderr?: string };
  const who = managerWords(of);
  if (code === 'ENOENT') return new HoldfastError('SystemdUnreachable', `${who}: there is no ${doing}`, { cause });
  const said = stderr.trim().split('\n').slice(0, 3).join('; ').slice(0, 400);
  if (NOBODY.test(said))
    return new HoldfastError('SystemdUnreachable', `${who} does not answer here: ${said}`, { cause });
  if (MAY_NOT.test(said)) return new HoldfastError('PermissionDenied', `${who}, ${doing}: ${said}`, { cause });
  if (killed === true) return new HoldfastError('SystemdRefused', `${who}, ${doing}: not done in time`, { cause });
  const why = said === '' ? `exit ${String(code)}` : said;
  return new HoldfastError('SystemdRefused', `${who}, ${doing}: ${why}`, { cause });
}

/** Undefined where nobody answers; everything else that goes wrong is thrown. */
export async function ifAnswers<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'SystemdUnreachable') return undefined;
    throw error;
  }
}
