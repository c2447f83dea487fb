/** A command and queries, asked of a copy in scratch. */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { HoldfastError } from '../failures.ts';
import { judgeValue } from '../policy/check-values.ts';
import type { CleanCheck } from '../policy/clean-point.ts';
import { tail } from '../sources/checks/report.ts';
import { scratchDirectory } from '../sources/checks/scratch.ts';
import { runConfined } from '../sources/clean/confined.ts';
import type { Beside, KindContext } from '../sources/kinds/component.ts';
import { dataDirectory, liveVolume } from '../sources/kinds/volume-place.ts';
import { RestoreNotes } from '../sources/postgres/restore-record.ts';
import { wasTyped } from '../system/typed.ts';
import type { Component, SqlProbe, System } from '../system/types.ts';
import type { HostContext } from './host-context.ts';
import type { Run } from './shell.ts';
import { ask } from './validation/sql.ts';
import type { DatabasePlace } from './validation-types.ts';

/** Where a copy can be looked at: as files, as a database, or both. */
export interface Copy {
  readonly path?: string;
  readonly database?: DatabasePlace;
}

export async function placeOfCopy(component: Component, beside: Beside, context: KindContext): Promise<Copy> {
  switch (component.kind) {
    case 'files':
      return { path: beside.place };
    case 'volume':
      return { path: dataDirectory(await liveVolume(context.docker(), beside.place)) };
    case 'sqlite':
      return { path: beside.place, database: { path: beside.place } };
    case 'postgres': {
      const record = await new RestoreNotes(context.stateDirectory, beside.restoreId, component.name).record();
      const names = (record?.databases ?? []).map(({ facts, beside: there }) => [facts.name, there] as const);
      return component.method === 'dump' ? { database: { databases: Object.fromEntries(names) } } : {};
    }
    case 'compose':
    case 'systemd':
      return {};
  }
}

/**
 * Throws BadInput for a command or a query that came by the engine alone: who reaches that may start a search, and is not
 * for that somebody who may run things on this machine.
 */
export function mustBeTypedHere(
  context: Pick<HostContext, 'host' | 'stateDirectory'>,
  asked: { readonly system: string; readonly command?: string; readonly query?: string },
): void {
  const given = Object.entries({ command: asked.command, query: asked.query });
  for (const [what, text] of given) {
    if (text === undefined || wasTyped(context.stateDirectory(asked.system), text)) continue;
    throw new HoldfastError('BadInput', `the ${what} was not typed on ${context.host}, where it would run`, {
      hint: 'Run `holdfast clean-point` there as the account of the worker, or write it under `cleanPoint` in the system file.',
    });
  }
}

interface Asking {
  readonly context: HostContext;
  readonly system: System;
  readonly component: Component;
  readonly copy: Copy;
  readonly run: Run;
}

/** Like scanners have it: 0 is clean, 1 is not, anything else is no answer. */
export async function askCommand(
  { context, system, component, copy, run }: Asking,
  typed: string | undefined,
): Promise<CleanCheck[]> {
  const command = typed === undefined ? system.cleanPoint.command : ['/bin/sh', '-c', typed];
  if (command === undefined || copy.path === undefined) return [];
  const facts = { component: component.name, name: 'command' } as const;
  const { withinSeconds } = system.cleanPoint;
  run.report({ phase: `command on ${component.name}` });
  await using scratch = await scratchDirectory(context.stateDirectory(system.name));
  const work = path.join(scratch.path, 'work');
  await mkdir(work);
  const words = command.map((word) => word.replaceAll('{}', copy.path ?? ''));
  const limits = { timeoutMs: withinSeconds * 1000, signal: run.signal };
  try {
    const ended = await runConfined(words, { scratch: copy.path, work }, limits);
    const said = tail(ended.output, 200);
    const how = ended.notConfined === undefined ? '' : ` (not confined: ${ended.notConfined})`;
    if (ended.timedOut) return [{ ...facts, state: 'unknown', detail: `not finished after ${withinSeconds} s${how}` }];
    const state = ended.exitCode === 0 ? 'clean' : ended.exitCode === 1 ? 'bad' : 'unknown';
    const exit = `exit ${ended.exitCode ?? ended.killedBy ?? 'unknown'}`;
    return [{ ...facts, state, detail: `${exit}${said === '' ? '' : `: ${said}`}${how}` }];
  } catch (error) {
    run.signal.throwIfAborted();
    if (!(error instanceof HoldfastError)) throw error;
    return [{ ...facts, state: 'unknown', detail: error.message }];
  }
}

export async function askQueries(asking: Asking, typed: string | undefined): Promise<CleanCheck[]> {
  const { system, component } = asking;
  const own = system.cleanPoint.queries.filter(({ probe }) => probe.component === component.name);
  const all = [...own, ...typedQuery(typed).filter(({ probe }) => probe.component === component.name)];
  const checks: CleanCheck[] = [];
  for (const { name, probe } of all) checks.push(await askOne(asking, name, probe));
  return checks;
}

/** `<component>: <SQL>`, true in a clean database. */
function typedQuery(typed: string | undefined): { name: string; probe: SqlProbe }[] {
  if (typed === undefined) return [];
  const colon = typed.indexOf(':');
  if (colon < 1) throw new HoldfastError('BadInput', 'write the query as `<component>: <SQL>`');
  const component = typed.slice(0, colon).trim();
  return [{ name: 'query', probe: { kind: 'sql', component, query: typed.slice(colon + 1).trim(), equals: true } }];
}

async function askOne(
  { context, system, component, copy, run }: Asking,
  name: string,
  probe: SqlProbe,
): Promise<CleanCheck> {
  const facts = { component: component.name, name: 'query' } as const;
  if (copy.database === undefined)
    return { ...facts, state: 'unknown', detail: `${name}: its copy answers no queries` };
  try {
    const limitMs = system.cleanPoint.withinSeconds * 1000;
    const question = { component, probe, place: copy.database, limitMs };
    const { rows, count } = await ask(context, question, run.signal);
    const held = judgeValue(probe, count > rows.length ? [...rows, []] : rows);
    return { ...facts, state: held.ok ? 'clean' : 'bad', detail: `${name}: ${held.detail}` };
  } catch (error) {
    run.signal.throwIfAborted();
    return { ...facts, state: 'unknown', detail: `${name}: ${error instanceof Error ? error.message : String(error)}` };
  }
}
