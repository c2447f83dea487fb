/** Tools, Docker and the engine of this machine, as far as the systems need them. */
import { accessSync, constants } from 'node:fs';
import { isEngineKnown } from '../engine/ephemeral.ts';
import { isServerNamed } from '../engine/target.ts';
import { findTemporal } from '../engine/tools.ts';
import { holdfastHome, localHost } from '../system/home.ts';
import type { System } from '../system/types.ts';
import { failed, ok, warn, type Finding } from './examination.ts';
import { examineNamespace } from './examine-namespace.ts';
import { runningOperations } from '../status/running.ts';

export async function examineMachine(systems: readonly System[]): Promise<Finding[]> {
  const findings = [examineHome(), await examineSystemCalls(), await examineTemporal(), await examineEngine()];
  findings.push(...(await examineNamespace(systems)));
  for (const system of systems) findings.push(examineHost(system));
  const usesDocker = systems.some(({ components }) =>
    components.some(({ kind }) => kind === 'volume' || kind === 'compose'),
  );
  if (usesDocker) findings.push(await examineDocker());
  return findings;
}

function examineHome(): Finding {
  const home = holdfastHome();
  try {
    accessSync(home, constants.R_OK | constants.W_OK | constants.X_OK);
    return ok('HOLDFAST_HOME', home);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT') return warn('HOLDFAST_HOME', `${home} does not exist yet`, 'It is made by `holdfast init`.');
    return {
      state: 'fail',
      what: 'HOLDFAST_HOME',
      detail: `${home} can't be used (${code ?? 'unknown error'})`,
      doThis: 'Run as the user who owns it, or set HOLDFAST_HOME.',
    };
  }
}

async function examineSystemCalls(): Promise<Finding> {
  try {
    const { systemCallsProblem } = await import('../sources/system-calls.ts');
    return systemCallsFinding(systemCallsProblem());
  } catch (error) {
    return failed('system calls', error);
  }
}

/** What it means for backups and restores when the C library of the process can't be called. */
export function systemCallsFinding(problem: string | undefined): Finding {
  const what = 'system calls';
  if (problem === undefined) return ok(what, 'extended attributes, ACLs, device nodes and exact times are kept');
  return warn(
    what,
    `the C library can't be called (${problem}): backups lack extended attributes, ACLs and file capabilities, ` +
      'restores set none of these, keep times less exactly and fail at FIFOs and device nodes, ' +
      'and a directory is swapped in by three renames instead of one exchange',
    'Use Linux on x64 or arm64, and run `npm run setup` again.',
  );
}

async function examineTemporal(): Promise<Finding> {
  if (isServerNamed()) return ok('Temporal server', 'named by TEMPORAL_*');
  try {
    const binary = await findTemporal();
    if (binary !== undefined) return ok('Temporal server', `${binary.path} (${binary.from})`);
    return { state: 'fail', what: 'Temporal server', detail: 'no binary', doThis: 'Run `npm run setup`.' };
  } catch (error) {
    return failed('Temporal server', error);
  }
}

async function examineEngine(): Promise<Finding> {
  if (!isEngineKnown()) return warn('engine', 'not running', 'Start it with `holdfast up`.');
  const state = await runningOperations();
  if (state.running) return ok('engine', state.address ?? '');
  return { state: 'fail', what: 'engine', detail: state.why ?? '', doThis: 'Start it with `holdfast up`.' };
}

function examineHost(system: System): Finding {
  try {
    return ok(`host of ${system.name}`, localHost(system));
  } catch (error) {
    return failed(`host of ${system.name}`, error);
  }
}

async function examineDocker(): Promise<Finding> {
  try {
    const { connectDocker } = await import('../docker/connect.ts');
    const docker = connectDocker();
    try {
      const { engine, api } = await docker.version();
      return ok('Docker', `engine ${engine}, API ${api}`);
    } finally {
      docker.close();
    }
  } catch (error) {
    return failed('Docker', error);
  }
}
