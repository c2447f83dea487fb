/** The steps of a restore on one host. Each finds what an earlier attempt of it has done. */
import { kindOf } from '../sources/kinds/index.ts';
import type { Beside, CheckReport, ComponentKind, KindContext } from '../sources/kinds/component.ts';
import type { Component } from '../system/types.ts';
import { componentOf, type HostContext } from './host-context.ts';
import { withLogOf } from './recovery-point.ts';
import { withMadeServer } from './late-servers.ts';
import { alone, clearLeftovers, forgetRun, noteRun, type Making } from './leftovers.ts';
import type { Run } from './shell.ts';
import type { HostActivities } from './types.ts';

type Input<A extends keyof HostActivities> = Parameters<HostActivities[A]>[0];

/** `extra` goes to the kind, for who does more with a restored copy. */
export async function restoreBeside(
  context: HostContext,
  input: Input<'restoreBeside'>,
  run: Run,
  extra: Partial<KindContext> = {},
): Promise<Beside> {
  const { store, manifestKey, component: name, paths, target, recoverTo, verify, restoreId } = input;
  const system = await context.system(input.system);
  const component = componentOf(system, name);
  await clearLeftovers(context, system, component, run);
  const making = { system: system.name, component: name, id: restoreId };
  await noteRun(context, making, run);
  run.report({ phase: `restore: ${name}` });
  const restore = () =>
    context.withReader(system, store, async (vault) => {
      const backup = await vault.open(manifestKey);
      const artifacts = await backup.artifacts(name);
      const place = {
        paths,
        ...(target === undefined ? {} : { elsewhere: target }),
        ...(verify === undefined ? {} : { verify }),
        ...(input.drill === undefined ? {} : { drill: input.drill }),
        ...(recoverTo === undefined ? {} : { recoverTo }),
      };
      const kindContext = { ...context.kindContext(system, run), ...extra };
      const record = backup.entry.body.components.find((each) => each.name === name);
      return withLogOf(context, system, { name, record, recoverTo }, run.signal, (log) =>
        withMadeServer(context, system, { component, restoreId }, run, (there, own) =>
          kindOf(there.kind).restoreBeside(there, artifacts, { ...place, ...log }, restoreId, {
            ...kindContext,
            ...own,
          }),
        ),
      );
    });
  return alone(context, making, run, restore);
}

interface Step {
  readonly kind: ComponentKind;
  readonly component: Component;
  readonly context: KindContext;
}

async function step<T>(
  context: HostContext,
  input: { readonly system: string; readonly beside: Beside },
  run: Run,
  phase: string,
  take: (step: Step) => Promise<T>,
): Promise<T> {
  const system = await context.system(input.system);
  const component = componentOf(system, input.beside.component);
  run.report({ phase: `${phase}: ${component.name}` });
  const { restoreId } = input.beside;
  return withMadeServer(context, system, { component, restoreId }, run, (there, own) => {
    const asked = { ...context.kindContext(system, run), ...own };
    const kind = kindOf(there.kind);
    return alone(context, makingOf(input), run, () => take({ kind, component: there, context: asked }));
  });
}

export async function checkBeside(
  context: HostContext,
  input: Input<'checkBeside'>,
  run: Run,
  extra: Partial<KindContext> = {},
): Promise<CheckReport> {
  return step(context, input, run, 'check', ({ kind, component, context: asked }) =>
    kind.checkBeside(component, input.beside, { ...asked, ...extra }),
  );
}

export async function swapIn(context: HostContext, input: Input<'swapIn'>, run: Run): Promise<void> {
  await step(context, input, run, 'swap in', ({ kind, component, context: asked }) =>
    kind.swapIn(component, input.beside, asked),
  );
}

export async function swapBack(context: HostContext, input: Input<'swapBack'>, run: Run): Promise<void> {
  await step(context, input, run, 'put back', ({ kind, component, context: asked }) =>
    kind.swapBack(component, input.beside, asked),
  );
}

export async function commitRestore(
  context: HostContext,
  input: Input<'commitRestore'>,
  run: Run,
): Promise<{ aside?: string }> {
  const kept = await step(context, input, run, 'commit', ({ kind, component, context: asked }) =>
    kind.commit(component, input.beside, { keep: input.keep }, asked),
  );
  await forgetRun(context, makingOf(input));
  return kept;
}

export async function discardBeside(context: HostContext, input: Input<'discardBeside'>, run: Run): Promise<void> {
  await step(context, input, run, 'remove', ({ kind, component, context: asked }) =>
    kind.discard(component, input.beside, asked),
  );
  await forgetRun(context, makingOf(input));
}

function makingOf({ system, beside }: Input<'discardBeside'>): Making {
  return { system, component: beside.component, id: beside.restoreId };
}

export async function checkLive(context: HostContext, input: Input<'checkLive'>, run: Run): Promise<CheckReport> {
  const system = await context.system(input.system);
  const checks: CheckReport['checks'][number][] = [];
  for (const name of input.components) {
    const component = componentOf(system, name);
    const live = await kindOf(component.kind).inspect(component, context.kindContext(system, run));
    checks.push({
      name: 'is there',
      ok: live.exists,
      detail: live.exists ? `${name} is there` : `${name} is not there`,
    });
    checks.push(...live.problems.map((detail) => ({ name: 'no problem', ok: false, detail })));
  }
  return { ok: checks.every(({ ok }) => ok), checks };
}
