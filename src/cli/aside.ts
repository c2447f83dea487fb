import type { Command } from 'commander';
import type { HostContext } from '../activities/host-context.ts';
import type { Run } from '../activities/shell.ts';
import type { ToldError } from '../observe/told.ts';
import type { KeptAside } from '../sources/kinds/component.ts';
import type { Component, System } from '../system/types.ts';
import type { AsideAnswer, AsideShown } from './aside-texts.ts';
import { addCommand, perform, type CommonOptions, type ExitCode, type Shell } from './shell.ts';

interface Options extends CommonOptions {
  readonly remove?: boolean;
  readonly restore?: string;
  readonly now?: boolean;
}

export function defineAside(program: Command): void {
  addCommand(program, 'aside <system> [component]', {
    summary: 'what restores have kept aside on this host; removes it',
    description:
      'What restores replaced stays on the host of the component for `keepAside`, and goes with a later run of the\n' +
      'component. This lists it, with age and size, and what keeps it longer. `--remove` removes now what its time is over\n' +
      'for; with `--restore <id> --now` also what one restore kept before that time. Nothing goes whose restore is not\n' +
      'committed, that a container has, or that has nothing in its place; and what no store takes a record of stays.\n' +
      'Looks at this host only and needs no engine. Exit 1 when something was to be removed and was not.',
    examples: [
      'aside m2m-connector',
      'aside m2m-connector --remove',
      'aside m2m-connector database --remove --restore 5a3c8f7e-6f0c-4f4b-9f3e-1d2c3b4a5968 --now',
    ],
  })
    .option('--remove', 'remove what may go')
    .option('--restore <id>', 'only what this restore kept')
    .option('--now', 'with --remove and --restore: before its time, too')
    .action((system: string, component: string | undefined, options: Options) =>
      perform(options, (shell) => aside(shell, system, component, options)),
    );
}

async function aside(shell: Shell, name: string, only: string | undefined, options: Options): Promise<ExitCode> {
  const [{ HoldfastError }, { loadSystem }, { localHost }, { createHostContext, componentOf }, { log }, { tell }] =
    await Promise.all([
      import('../failures.ts'),
      import('../system/load.ts'),
      import('../system/home.ts'),
      import('../activities/host-context.ts'),
      import('../observe/log.ts'),
      import('../observe/told.ts'),
    ]);
  if (options.now === true && (options.remove !== true || options.restore === undefined)) {
    throw new HoldfastError('BadInput', '--now needs --remove, and --restore with the id of one restore');
  }
  const system = await loadSystem(name);
  const asked = only === undefined ? system.components : [componentOf(system, only)];
  const host = localHost(system);
  const run: Run = { signal: new AbortController().signal, report: () => undefined, attempt: 1, log: log('aside') };
  const shown: AsideShown[] = [];
  const unread: { component: string; error: ToldError }[] = [];
  const context = createHostContext(host);
  try {
    for (const component of asked.filter((each) => each.host === host)) {
      try {
        shown.push(...(await lookAt({ shell, context, system, component, run }, options)));
      } catch (error) {
        unread.push({ component: component.name, error: tell(error) });
      }
    }
  } finally {
    await context.close();
  }
  const elsewhere = asked.filter((each) => each.host !== host).map((each) => ({ component: each.name, on: each.host }));
  const { keepAsideSeconds } = system;
  const { asideText } = await import('./aside-texts.ts');
  const answer: AsideAnswer = { system: system.name, host, keepAsideSeconds, kept: shown, unread, elsewhere };
  shell.result(answer, (colours) => asideText(shown, colours));
  for (const { component, on } of elsewhere) shell.say(`${component} is on the host ${on}: ask there`);
  for (const { component, error } of unread) shell.say(`${component} could not be looked at: ${error.message}`);
  if (unread.length > 0) return 2;
  return options.remove === true && shown.some(({ state }) => state === 'stays') ? 1 : 0;
}

interface Work {
  readonly shell: Shell;
  readonly context: HostContext;
  readonly system: System;
  readonly component: Component;
  readonly run: Run;
}

async function lookAt(work: Work, options: Options): Promise<AsideShown[]> {
  const { keptAsideOf, sizeOfAside, whatBecomes } = await import('../activities/kept-aside.ts');
  const { context, system, component, run } = work;
  const kindContext = context.kindContext(system, run);
  const shown: AsideShown[] = [];
  for (const kept of await keptAsideOf(component, kindContext)) {
    if (options.restore !== undefined && options.restore !== kept.restoreId) continue;
    const sizeBytes = await sizeOfAside(component, kept, kindContext);
    const keepSeconds = options.now === true ? 0 : system.keepAsideSeconds;
    const decision =
      options.remove === true
        ? await removeOne(work, kept, keepSeconds)
        : await whatBecomes(component, kept, keepSeconds, kindContext);
    shown.push({
      component: component.name,
      restoreId: kept.restoreId,
      place: kept.place,
      since: new Date(kept.sinceMs).toISOString(),
      ageSeconds: Math.max(0, Math.round((Date.now() - kept.sinceMs) / 1000)),
      ...(sizeBytes === undefined ? {} : { sizeBytes }),
      ...(decision.goes
        ? { state: options.remove === true ? ('gone' as const) : ('goes' as const) }
        : { state: 'stays' as const, why: decision.why }),
    });
  }
  return shown;
}

/** Alone on what the restore made: a step of it, or a worker that clears up, may be at work. */
async function removeOne({ shell, context, system, component, run }: Work, kept: KeptAside, keepSeconds: number) {
  const [{ alone }, { removeAside }, { tellAudit }] = await Promise.all([
    import('../activities/leftovers.ts'),
    import('../activities/kept-aside.ts'),
    import('./audited.ts'),
  ]);
  const making = { system: system.name, component: component.name, id: kept.restoreId };
  const tell = async ({ restoreId, place }: KeptAside): Promise<void> => {
    const about = `what the restore ${restoreId} kept aside of ${component.name}: ${place}`;
    await tellAudit(shell, system, { operation: 'kept aside', outcome: 'removed', about }, 'before');
  };
  return alone(context, making, run, () =>
    removeAside(component, kept, { keepSeconds, tell }, context.kindContext(system, run)),
  );
}
