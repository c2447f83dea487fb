/** Commands of the system file: on the host, or in the container of a service. */
import { access } from 'node:fs/promises';
import path from 'node:path';
import { findNamed } from '../../docker/find-named.ts';
import { HoldfastError } from '../../failures.ts';
import { runProgram } from '../../sources/checks/program.ts';
import type { CommandProbe, System } from '../../system/types.ts';
import type { HostContext } from '../host-context.ts';
import { projectOf } from '../../sites/system-containers.ts';
import type { CheckPlace } from '../validation-types.ts';
import { inCopy } from './isolated.ts';

export interface Ended {
  /** Absent when it was killed. */
  readonly exitCode?: number;
  readonly timedOut: boolean;
  /** Its end. */
  readonly output: string;
}

export interface Errand {
  readonly system: System;
  readonly probe: CommandProbe;
  readonly place?: CheckPlace;
  readonly limitMs: number;
}

const OUTPUT_LIMIT = 64 * 1024;

/** Throws SourceMissing, ContainerMissing, what the engine says, the signal's reason. */
export async function runCommand(context: HostContext, errand: Errand, signal: AbortSignal): Promise<Ended> {
  return errand.probe.service === undefined
    ? runOnHost(errand, signal)
    : runInContainer(context, { ...errand, service: errand.probe.service }, signal);
}

async function runOnHost({ system, probe, place, limitMs }: Errand, signal: AbortSignal): Promise<Ended> {
  const cwd = await workingDirectory(system);
  const limits = { timeoutMs: limitMs, signal, cwd, env: environmentOf(system, place) };
  const { exitCode, timedOut, output } = await runProgram(probe.command, limits);
  return { ...(exitCode === undefined ? {} : { exitCode }), timedOut, output };
}

async function runInContainer(
  context: HostContext,
  { system, probe, place, limitMs, service }: Errand & { readonly service: string },
  signal: AbortSignal,
): Promise<Ended> {
  const limit = AbortSignal.timeout(limitMs);
  try {
    const id = await containerOf(context, { system, place, service });
    const env = environmentOf(system, place);
    const run = await context
      .docker()
      .exec(id, { command: probe.command, env, signal: AbortSignal.any([signal, limit]) });
    let output = '';
    for await (const bytes of run.stdout) {
      output = (output + Buffer.from(bytes).toString('utf8')).slice(-OUTPUT_LIMIT);
    }
    const { exitCode, stderr } = await run.ended;
    return { exitCode, timedOut: false, output: `${output}${stderr}`.slice(-OUTPUT_LIMIT) };
  } catch (error) {
    signal.throwIfAborted();
    if (limit.aborted) return { timedOut: true, output: '' };
    throw error;
  }
}

/** The container of a service: the live one, or the one that stands for it. Throws ContainerMissing. */
export async function containerOf(
  context: HostContext,
  { system, place, service }: { system: System; place: CheckPlace | undefined; service: string },
): Promise<string> {
  if (place !== undefined) return inCopy(place.containers?.[service], `the service ${service}`);
  const named = await findNamed(context.docker(), service, projectOf(system));
  const running = named.find(({ state }) => state === 'running');
  if (running !== undefined) return running.id;
  throw new HoldfastError('ContainerMissing', `no container of the service ${service} runs`);
}

/** Scripts are written beside the services; without a project, beside the system file. */
async function workingDirectory(system: System): Promise<string> {
  const stack = system.components.find(({ name }) => name === system.compose);
  const beside = path.dirname(path.resolve(system.sourcePath));
  if (stack?.kind !== 'compose') return beside;
  return access(stack.directory).then(
    () => stack.directory,
    () => beside,
  );
}

/** What is asked, for scripts that can be pointed at an isolated copy. Places only, never a secret. */
function environmentOf(system: System, place: CheckPlace | undefined): Record<string, string> {
  const variable = (prefix: string, name: string): string =>
    `HOLDFAST_${prefix}_${name.toUpperCase().replaceAll(/[^A-Z0-9]+/g, '_')}`;
  const components = Object.entries(place?.components ?? {}).map(([name, { path: file, address, port, databases }]) => [
    variable('COMPONENT', name),
    file ?? JSON.stringify({ address, port, databases }),
  ]);
  const containers = Object.entries(place?.containers ?? {}).map(([name, id]) => [variable('CONTAINER', name), id]);
  return {
    HOLDFAST_SYSTEM: system.name,
    HOLDFAST_PLACE: place === undefined ? 'live' : 'isolated',
    ...(place?.origins === undefined ? {} : { HOLDFAST_ORIGINS: JSON.stringify(place.origins) }),
    ...(Object.fromEntries([...components, ...containers]) as Record<string, string>),
  };
}
