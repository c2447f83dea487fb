/** `holdfast site <system> --guard …`: the guard as a process, and the unit that keeps it. */
import path from 'node:path';
import { connectDocker } from '../docker/connect.ts';
import { HoldfastError } from '../failures.ts';
import { failoverOf } from '../sites/authority.ts';
import { endGuard, runGuard, type GuardOf } from '../sites/guard-process.ts';
import { guardUnitName, installGuardUnit, removeGuardUnit } from '../sites/guard-unit.ts';
import { mendPolicies, restartPolicies } from '../sites/restart-policies.ts';
import { freeTheseUnits, guardTheseUnits, unguardedUnits } from '../sites/unit-starts.ts';
import { writeHandover } from '../sites/site-files.ts';
import { unitManager } from '../systemd/manager.ts';
import { localHost } from '../system/home.ts';
import type { System } from '../system/types.ts';
import type { ExitCode, Shell } from './shell.ts';

/** An engine that takes longer to answer has not answered: the guard asks again. */
const ENGINE_ANSWER_MS = 8000;
const PROGRAM = path.resolve(import.meta.dirname, '..', '..', 'bin', 'holdfast');

const ACTIONS = { run, after, install, remove, status, restart, policies } as const;

interface Asked extends GuardOf {
  readonly shell: Shell;
  readonly signal: AbortSignal;
}

export async function guardCommand(shell: Shell, system: System, what: string): Promise<ExitCode> {
  if (!isAction(what)) {
    throw new HoldfastError('BadInput', `--guard ${what} is none of ${Object.keys(ACTIONS).join(', ')}`);
  }
  if (failoverOf(system).fencing !== 'lease') {
    throw new HoldfastError(
      'BadInput',
      `a guard keeps a lease, and ${system.name} says fencing: ${failoverOf(system).fencing}`,
    );
  }
  const ending = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => ending.abort());
  const docker = connectDocker({ timeoutMs: ENGINE_ANSWER_MS });
  try {
    const asked = { shell, system, docker, host: localHost(system), signal: ending.signal };
    return await ACTIONS[what](asked);
  } finally {
    docker.close();
  }
}

function isAction(what: string): what is keyof typeof ACTIONS {
  return Object.hasOwn(ACTIONS, what);
}

async function run(asked: Asked): Promise<ExitCode> {
  await runGuard(asked, asked.signal);
  // Whoever ends it in the middle of this has it done by what supervises it.
  await endGuard(asked, 'ended', new AbortController().signal);
  return 0;
}

/** systemd says in SERVICE_RESULT how the guard ended (systemd.exec(5)). */
async function after(asked: Asked): Promise<ExitCode> {
  const crashed = (process.env['SERVICE_RESULT'] ?? 'success') !== 'success';
  const became = await endGuard(asked, crashed ? 'crashed' : 'ended', asked.signal);
  asked.shell.say(
    `the guard has ended: the stack ${became === 'stopped' ? 'is stopped' : 'goes on, as its lease does'}`,
  );
  return 0;
}

async function install({ shell, system, host, docker, signal }: Asked): Promise<ExitCode> {
  await mendPolicies({ system, host, docker });
  const guarded = await guardTheseUnits({ system, host }, signal);
  const program = PROGRAM;
  const file = await installGuardUnit({ system, host, program, environment: process.env }, signal);
  shell.result({ system: system.name, unit: guardUnitName(system.name), file, guarded }, () =>
    [
      ...guarded.map(
        (unit) => `${unit} is started by the guard alone from now on, no more by the boot (its .d directory)`,
      ),
      `${file} is in place, and runs`,
    ].join('\n'),
  );
  return 0;
}

async function remove({ shell, system, host, signal }: Asked): Promise<ExitCode> {
  await removeGuardUnit(system.name, signal);
  const freed = await freeTheseUnits({ system, host }, signal);
  shell.result({ system: system.name, freed }, () =>
    [
      `${guardUnitName(system.name)} is gone, and its stack is stopped`,
      ...freed.map((unit) => `${unit} is started as its own files say again`),
    ].join('\n'),
  );
  return 0;
}

async function status({ shell, system, signal }: Asked): Promise<ExitCode> {
  const [seen] = await unitManager({ scope: 'system' }).look([guardUnitName(system.name)], signal);
  const { active = 'inactive', load = 'not-found', enablement = '', upSince } = seen ?? {};
  const state = {
    unit: guardUnitName(system.name),
    load,
    active,
    enablement,
    ...(upSince === undefined ? {} : { upSince }),
  };
  shell.result(state, () => `${state.unit}: ${active} (${load}, ${enablement})`);
  return active === 'active' && enablement === 'enabled' ? 0 : 1;
}

/** The lease goes on in its file while the processes are exchanged. */
async function restart({ system, signal }: Asked): Promise<ExitCode> {
  await writeHandover(system.name);
  await unitManager({ scope: 'system' }).restart([guardUnitName(system.name)], signal);
  return 0;
}

async function policies(asked: Asked): Promise<ExitCode> {
  await mendPolicies(asked);
  await guardTheseUnits(asked, asked.signal);
  const left = await restartPolicies(asked);
  const units = await unguardedUnits(asked, asked.signal);
  const told = [
    ...left.map(({ container, policy }) => `${container}: ${policy}`),
    ...units.map((unit) => `${unit}: asks for no lease`),
  ];
  asked.shell.result({ system: asked.system.name, left, units }, () =>
    told.length === 0
      ? 'every container has the restart policy no, and every unit asks for the lease'
      : told.join('\n'),
  );
  return told.length === 0 ? 0 : 1;
}
