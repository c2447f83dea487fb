import { Option, type Command } from 'commander';
import type { Engine } from '../engine/connect.ts';
import type { SystemChanges } from './schedule-texts.ts';
import type { ToldError } from '../observe/told.ts';
import { addCommand, perform, type CommonOptions, type ExitCode, type Shell } from './shell.ts';

interface Options extends CommonOptions {
  readonly dryRun?: boolean;
  readonly yes?: boolean;
}

export function defineApply(program: Command): void {
  addCommand(program, 'apply [systems...]', {
    summary: "bring the engine's schedules to what the system files declare",
    description:
      'Prints the difference first: what is new, what changes and how, what is declared no longer and goes. Without a name\n' +
      'all registered systems are applied, and schedules of systems that are registered no more are removed. What was\n' +
      'paused by hand stays paused; schedules that Holdfast has not made are left alone. In a terminal it asks before it\n' +
      'changes or removes anything. `holdfast up` does the same at its start and whenever a file changes.\n\n' +
      'With `--dry-run` the exit code is 1 when something would change.',
    examples: ['apply', 'apply m2m-connector --dry-run', 'apply --yes --json'],
  })
    .addOption(new Option('--dry-run', 'only print the difference').conflicts('yes'))
    .option('--yes', 'do not ask')
    .action((systems: string[], options: Options) => perform(options, (shell) => apply(shell, systems, options)));
}

interface Failed {
  readonly system: string;
  readonly error: ToldError;
}

async function apply(shell: Shell, names: readonly string[], options: Options): Promise<ExitCode> {
  const [{ connectEngine }, { applySchedules, hasChanges }, { changesText, countsText }] = await Promise.all([
    import('../engine/connect.ts'),
    import('../engine/schedules.ts'),
    import('./schedule-texts.ts'),
  ]);
  await using engine = await connectEngine();
  const { planned, failed } = await plan(engine, names);
  const changing = planned.filter(hasChanges);
  if (!shell.json) for (const one of planned) shell.say(changesText(one, shell.colours));
  for (const { system, error } of failed) shell.say(`${system}: ${error.message}\n  try ${error.hint}`);

  const wanted = options.dryRun !== true && changing.length > 0;
  const applied = wanted && (await mayApply(shell, changing, options));
  if (applied) {
    for (const one of changing) {
      await applySchedules(engine.client, one);
      await tellApplied(shell, one);
    }
  }
  const outcome = applied ? 'applied' : changing.length === 0 ? 'nothing to do' : 'not applied';
  shell.result({ outcome, systems: planned, failed }, () => `${outcome}: ${countsText(planned)}`);
  if (failed.length > 0) return 2;
  return applied || changing.length === 0 ? 0 : 1;
}

/** Of a system that is registered here no more nobody knows where its log lies. */
async function tellApplied(shell: Shell, { system, changes }: SystemChanges): Promise<void> {
  const [{ listSystems, loadSystem }, { tellAudit }] = await Promise.all([
    import('../system/load.ts'),
    import('./audited.ts'),
  ]);
  if (!(await listSystems()).some(({ name }) => name === system)) return;
  const about = changes
    .flatMap((one) => (one.do === 'keep' ? [] : [`${one.do} ${one.do === 'remove' ? one.id : one.declared.name}`]))
    .join(', ');
  await tellAudit(shell, await loadSystem(system), { operation: 'apply', outcome: 'applied', about });
}

/** A file that can't be read keeps none of the others from being applied, and loses none of its schedules. */
async function plan(engine: Engine, names: readonly string[]): Promise<{ planned: SystemChanges[]; failed: Failed[] }> {
  const [{ listSystems, loadSystem }, { planAbandoned, planSchedules }, policy, { tell }] = await Promise.all([
    import('../system/load.ts'),
    import('../engine/schedules.ts'),
    import('../policy/schedules.ts'),
    import('../observe/told.ts'),
  ]);
  const registered = (await listSystems()).map(({ name }) => name);
  const planned: SystemChanges[] = [];
  const failed: Failed[] = [];
  for (const name of names.length === 0 ? registered : names) {
    try {
      const system = await loadSystem(name);
      const notes = policy.scheduleNotes(system, policy.declaredSchedules(system), Date.now());
      planned.push({ ...(await planSchedules(engine.client, system)), notes });
    } catch (error) {
      const told = tell(error);
      if (told.code === 'EngineUnreachable') throw error;
      failed.push({ system: name, error: told });
    }
  }
  if (names.length > 0) return { planned, failed };
  const abandoned = await planAbandoned(engine, registered);
  const note = { what: 'no such system is registered here any more', doThis: 'Register it with `holdfast init`.' };
  return { planned: [...planned, ...abandoned.map((one) => ({ ...one, notes: [note] }))], failed };
}

/** New schedules harm nothing; a person who can be asked agrees to the rest. */
async function mayApply(shell: Shell, changing: readonly SystemChanges[], options: Options): Promise<boolean> {
  const takesAway = changing.some(({ changes }) => changes.some((one) => one.do === 'change' || one.do === 'remove'));
  if (options.yes === true || !shell.interactive || !takesAway) return true;
  const { agreed } = await import('./agreed.ts');
  return agreed(shell, 'Apply this?');
}
