/** What the next run on a component makes of what an earlier one has left: a host that knows this one system. */
import type { HostContext } from '../../src/activities/host-context.ts';
import { clearLeftovers, noteRun } from '../../src/activities/leftovers.ts';
import type { Asker, Run } from '../../src/activities/shell.ts';
import { log } from '../../src/observe/log.ts';
import type { KindContext } from '../../src/sources/kinds/component.ts';
import type { Component, System } from '../../src/system/types.ts';

/** As the engine knows the runs. */
export interface Engine {
  readonly open: Set<string>;
}

const SYSTEM = { name: 'test', keepAsideSeconds: 3600 } as System;

/** To be called before the copy of this restore is made, as a worker does. */
export async function begun(component: Component, id: string, engine: Engine, context: KindContext): Promise<void> {
  await noteRun(hostOf(context), { system: 'test', component: component.name, id }, runOf(id, engine, context));
}

export async function nextRunOn(component: Component, engine: Engine, context: KindContext): Promise<void> {
  await clearLeftovers(hostOf(context), SYSTEM, component, runOf('the-next', engine, context));
}

function hostOf(context: KindContext): HostContext {
  const host = { stateDirectory: () => context.stateDirectory, kindContext: () => context };
  return host as unknown as HostContext;
}

function runOf(runId: string, { open }: Engine, { signal }: KindContext): Run {
  const asker: Asker = {
    execution: { workflowId: `test/${runId}`, runId },
    stillRuns: (execution) => Promise.resolve(open.has(execution.runId)),
    engineId: () => Promise.resolve('the-engine'),
  };
  return { signal, report: () => undefined, attempt: 1, log: log('test'), asker };
}
