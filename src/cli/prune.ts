import type { Command } from 'commander';
import type { System } from '../system/types.ts';
import type { ToldError } from '../observe/told.ts';
import { durationOption } from './names.ts';
import { addCommand, perform, type CommonOptions, type ExitCode, type Shell } from './shell.ts';

export interface PruneOptions extends CommonOptions {
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly minimumAge?: string;
  readonly by?: string;
  readonly wait?: boolean;
  readonly detach?: boolean;
}

export function definePrune(program: Command): void {
  addCommand(program, 'prune <system> [store]', {
    summary: 'remove the backups that no rule keeps, and what only they needed',
    description:
      'Keeps what `keep` and `keepIn` of the plans say, and always the proved, held, young and doubtful ones. Removes the\n' +
      'other backups, waits an hour, then deletes the objects that no backup names any more: beside running captures and\n' +
      'copies, and safe to be interrupted at any point. Without a store, all of them side by side.\n\n' +
      '--dry-run reads the stores itself, explains every keep and every delete and what it frees, and changes nothing; it\n' +
      'needs neither engine nor identity. When more than half of the backups of a plan, and more than three, would go, a\n' +
      'person is asked: here on a terminal, or by `holdfast approve`; --yes asks nobody.',
    examples: ['prune m2m-connector --dry-run', 'prune m2m-connector nas', 'prune m2m-connector nas --yes --json'],
  })
    .option('--dry-run', 'explain what would be kept and deleted, and change nothing')
    .option('--yes', 'do not ask, however much would go')
    .option('--minimum-age <duration>', 'delete nothing that came into the store more recently (default: 24h)')
    .option('--by <name>', 'who approves (default: the user of this machine)')
    .option('--wait', 'without a terminal: wait until somebody approves or rejects')
    .option('--detach', 'start it and return')
    .action((system: string, store: string | undefined, options: PruneOptions) =>
      perform(options, (shell) => prune(shell, system, store, options)),
    );
}

async function prune(
  shell: Shell,
  name: string,
  storeName: string | undefined,
  options: PruneOptions,
): Promise<ExitCode> {
  const [{ loadSystem }, { storeOf }] = await Promise.all([
    import('../system/load.ts'),
    import('../status/of-system.ts'),
  ]);
  const system = await loadSystem(name);
  const stores = storeName === undefined ? system.stores : [storeOf(system, storeName)];
  const minimumAgeSeconds = durationOption('--minimum-age', options.minimumAge);
  const age = minimumAgeSeconds === undefined ? {} : { minimumAgeSeconds };
  if (options.dryRun === true) return dryRun(shell, system, stores, age);
  const { runPrunes } = await import('./run-prune.ts');
  const yes = options.yes === true ? { yes: true } : {};
  return runPrunes(
    shell,
    stores.map(({ name: store }) => ({ system: name, store, ...age, ...yes })),
    options,
  );
}

async function dryRun(
  shell: Shell,
  system: System,
  stores: System['stores'],
  age: { readonly minimumAgeSeconds?: number },
): Promise<ExitCode> {
  const [{ withVault }, { planPrune }, { epochName }, { planText, planFacts }, { tell }] = await Promise.all([
    import('../vault/maintained.ts'),
    import('../vault/sweep/prune-plan.ts'),
    import('../vault/epoch.ts'),
    import('./prune-texts.ts'),
    import('../observe/told.ts'),
  ]);
  const { signal } = new AbortController();
  const plans: { store: string; plan: Awaited<ReturnType<typeof planPrune>> }[] = [];
  const unread: { store: string; error: ToldError }[] = [];
  const currentEpoch = epochName(system.keys.recipients);
  for (const config of stores) {
    const request = { system, storeName: config.name, nowMs: Date.now(), ...age, currentEpoch, signal };
    try {
      plans.push({ store: config.name, plan: await withVault(system, config, (from) => planPrune(from, request)) });
    } catch (error) {
      if (stores.length === 1) throw error;
      unread.push({ store: config.name, error: tell(error) });
    }
  }
  shell.result({ system: system.name, stores: plans.map(planFacts), unread }, (colours) =>
    plans.map((one) => planText(one, colours)).join('\n\n'),
  );
  for (const { store, error } of unread) shell.say(`the store ${store} could not be read: ${error.message}`);
  if (unread.length > 0) return 2;
  return plans.every(({ plan }) => plan.blocked.length === 0) ? 0 : 1;
}
