import type { Command } from 'commander';
import { HoldfastError } from '../failures.ts';
import type { ScheduleState } from '../status/schedule-state.ts';
import type { DeclaredSchedule } from '../policy/schedules.ts';
import { addCommand, perform, type CommonOptions, type ExitCode, type Shell } from './shell.ts';

export function defineSchedule(program: Command): void {
  const schedule = program
    .command('schedule')
    .summary('what runs by itself: look, pause, run now, make up for')
    .description('The schedules that `holdfast apply` and `holdfast up` keep in the engine.');
  defineList(schedule);
  defineAnswer(schedule, 'pause', {
    summary: 'let it run no more until it is unpaused',
    description:
      'A run that is under way goes on. The pause stays, whatever is applied, until `unpause`; `status` and alarms\n' +
      'tell of it. Without a name all schedules of the system are paused but the monitor, which goes on telling so.',
    examples: [
      'schedule pause m2m-connector backup/daily --note "move to the new disk"',
      'schedule pause m2m-connector',
    ],
  });
  defineAnswer(schedule, 'unpause', {
    summary: 'let it run again',
    description: 'What was due during the pause is not made up for: see `backfill`, or `trigger` it now.',
    examples: ['schedule unpause m2m-connector backup/daily', 'schedule unpause m2m-connector'],
  });
  defineTrigger(schedule);
  defineBackfill(schedule);
}

function defineList(schedule: Command): void {
  addCommand(schedule, 'list [system]', {
    summary: 'next and last runs, pauses, what was left out',
    description:
      'For each schedule its times, the next run, how the last one ended, and how many were left out since it was made:\n' +
      'skipped because the run before went on, or missed because the engine was down for longer than they are caught up\n' +
      'for. Exit 1 when one is not applied, or paused by hand.',
    examples: ['schedule list', 'schedule list m2m-connector --json'],
  }).action((system: string | undefined, options: CommonOptions) => perform(options, (shell) => list(shell, system)));
}

async function list(shell: Shell, name: string | undefined): Promise<ExitCode> {
  const [{ connectEngine }, { knownSystems }, { scheduleStates }, { statesText }] = await Promise.all([
    import('../engine/connect.ts'),
    import('../system/last-good.ts'),
    import('../status/schedule-state.ts'),
    import('./schedule-texts.ts'),
  ]);
  const known = await knownSystems(name === undefined ? [] : [name]);
  await using engine = await connectEngine();
  const all: { readonly system: string; readonly schedules: readonly ScheduleState[] }[] = [];
  for (const { name: about, system, fault } of known) {
    // The engine goes on by what was applied before.
    if (fault !== undefined) shell.say(`the file of ${about} can't be used: ${fault.error.message}`);
    if (system === undefined) continue;
    all.push({ system: system.name, schedules: await scheduleStates(engine.client, system, { outcomes: true }) });
  }
  const nowMs = Date.now();
  shell.result({ systems: all }, (colours) =>
    all.map((one) => `${colours.bold(one.system)}\n${statesText(one.schedules, colours, nowMs)}`).join('\n\n'),
  );
  const bad = known.some(({ fault }) => fault !== undefined);
  const wrong =
    bad || all.some(({ schedules }) => schedules.some((one) => !one.applied || one.paused?.byHand === true));
  return wrong ? 1 : 0;
}

interface AnswerOptions extends CommonOptions {
  readonly note?: string;
}

function defineAnswer(
  schedule: Command,
  verb: 'pause' | 'unpause',
  texts: { summary: string; description: string; examples: readonly string[] },
): void {
  addCommand(schedule, `${verb} <system> [name]`, texts)
    .option('--note <text>', 'why; it is shown wherever the schedule is')
    .action((system: string, name: string | undefined, options: AnswerOptions) =>
      perform(options, (shell) => answer(shell, verb, system, name, options)),
    );
}

async function answer(
  shell: Shell,
  verb: 'pause' | 'unpause',
  system: string,
  name: string | undefined,
  { note }: AnswerOptions,
): Promise<ExitCode> {
  const [{ connectEngine }, byHand, { whoAmI }, { loadKnownSystem }, { tellAudit }] = await Promise.all([
    import('../engine/connect.ts'),
    import('../engine/schedules-by-hand.ts'),
    import('./names.ts'),
    import('../system/last-good.ts'),
    import('./audited.ts'),
  ]);
  const named = await choose(system, name);
  // The monitor goes on, to tell that the others are paused.
  const chosen = name === undefined && verb === 'pause' ? named.filter((one) => one.name !== 'monitor') : named;
  await using engine = await connectEngine();
  const by = await whoAmI();
  const full = `${verb}d by ${by}${note === undefined ? '' : `: ${note}`}`;
  const act = verb === 'pause' ? byHand.pauseSchedule : byHand.unpauseSchedule;
  for (const one of chosen) await act(engine.client, one.id, full);
  const names = chosen.map((one) => one.name);
  shell.result({ outcome: `${verb}d`, system, schedules: names, note: full }, () => `${verb}d ${names.join(', ')}`);
  const done = { operation: 'schedule', outcome: `${verb}d`, about: names.join(', ') };
  await tellAudit(shell, (await loadKnownSystem(system)).system, {
    ...done,
    ...(note === undefined ? {} : { why: note }),
  });
  return 0;
}

function defineTrigger(schedule: Command): void {
  addCommand(schedule, 'trigger <system> <name>', {
    summary: 'run it now, unless it runs',
    description:
      'Starts what the schedule starts, at once, also when it is paused. While the run before has not ended this is\n' +
      'skipped, as a run at its time would be (exit 1).',
    examples: ['schedule trigger m2m-connector backup/daily', 'schedule trigger m2m-connector verify'],
  }).action((system: string, name: string, options: CommonOptions) =>
    perform(options, (shell) => trigger(shell, system, name)),
  );
}

async function trigger(shell: Shell, system: string, name: string): Promise<ExitCode> {
  const [{ connectEngine }, { triggerSchedule }] = await Promise.all([
    import('../engine/connect.ts'),
    import('../engine/schedules-by-hand.ts'),
  ]);
  const [one] = await choose(system, name);
  if (one === undefined) return 2;
  await using engine = await connectEngine();
  const { outcome, workflowId } = await triggerSchedule(engine.client, one.id);
  const watch = outcome === 'started' ? `; watch it with: holdfast watch ${one.start.workflowId}` : '';
  const running = outcome === 'skipped' ? `: ${workflowId ?? 'the run before'} has not ended` : watch;
  shell.result(
    { outcome, system, schedule: one.name, ...(workflowId === undefined ? {} : { workflowId }) },
    () => `${outcome} ${one.name}${running}`,
  );
  return outcome === 'started' ? 0 : 1;
}

interface BackfillOptions extends CommonOptions {
  readonly from: string;
  readonly to?: string;
}

function defineBackfill(schedule: Command): void {
  addCommand(schedule, 'backfill <system> <name>', {
    summary: 'make up for what was due in a time gone by',
    description:
      'Runs once for each time that was due between `--from` and `--to`, one after another. A backup of now is all that\n' +
      'any of them can take, so that for backups one `trigger` is nearly always what is wanted.',
    examples: ['schedule backfill m2m-connector verify --from 2026-11-20T00:00:00Z --to 2026-11-21T00:00:00Z'],
  })
    .requiredOption('--from <time>', 'RFC 3339')
    .option('--to <time>', 'RFC 3339 (default: now)')
    .action((system: string, name: string, options: BackfillOptions) =>
      perform(options, (shell) => backfill(shell, system, name, options)),
    );
}

/** More would fill the engine's buffer for days. */
const MOST_BACKFILLED = 100;

async function backfill(shell: Shell, system: string, name: string, options: BackfillOptions): Promise<ExitCode> {
  const [{ connectEngine }, { backfillSchedule }, { nextRuns }] = await Promise.all([
    import('../engine/connect.ts'),
    import('../engine/schedules-by-hand.ts'),
    import('../policy/due-times.ts'),
  ]);
  const fromMs = timeOf('--from', options.from);
  const toMs = options.to === undefined ? Date.now() : timeOf('--to', options.to);
  if (toMs > Date.now())
    throw new HoldfastError('BadInput', '--to lies in the future: a backfill makes up for the past');
  const [one] = await choose(system, name);
  if (one === undefined) return 2;
  const due = nextRuns(one.spec, fromMs, toMs, MOST_BACKFILLED + 1);
  if (due.length > MOST_BACKFILLED) {
    throw new HoldfastError('BadInput', `more than ${MOST_BACKFILLED} runs were due then: choose a shorter time`);
  }
  await using engine = await connectEngine();
  if (due.length > 0) await backfillSchedule(engine.client, one.id, new Date(fromMs), new Date(toMs));
  const times = due.map((at) => new Date(at).toISOString());
  shell.result({ outcome: due.length > 0 ? 'started' : 'nothing was due', schedule: one.name, due: times }, () =>
    due.length > 0
      ? `started ${due.length} runs of ${one.name}, one after another`
      : `nothing of ${one.name} was due then`,
  );
  return due.length > 0 ? 0 : 1;
}

function timeOf(option: string, text: string): number {
  const ms = Date.parse(text);
  if (!Number.isNaN(ms)) return ms;
  throw new HoldfastError('BadInput', `${option} ${text} is no time: write one such as 2026-03-01T02:00:00Z`);
}

/**
 * Those that the file declares and the name means: its full name, or the name of a plan. All without a name. A file that is
 * bad now keeps nobody from pausing what was applied before.
 */
async function choose(system: string, name: string | undefined): Promise<DeclaredSchedule[]> {
  const [{ loadKnownSystem }, { declaredSchedules }] = await Promise.all([
    import('../system/last-good.ts'),
    import('../policy/schedules.ts'),
  ]);
  const declared = declaredSchedules((await loadKnownSystem(system)).system);
  if (name === undefined) return declared;
  const chosen = declared.filter((one) => one.name === name || one.name === `backup/${name}`);
  if (chosen.length > 0) return chosen;
  throw new HoldfastError('BadInput', `${system} declares no schedule ${name}`, {
    hint: `It declares: ${declared.map((one) => one.name).join(', ')}.`,
  });
}
