import type { Command } from 'commander';
import type { System } from '../system/types.ts';
import type { PruneInput, PruneResult } from '../workflows/contract.ts';
import { durationOption } from './names.ts';
import { addCommand, perform, type CommonOptions, type ExitCode, type Shell } from './shell.ts';

interface Options extends CommonOptions {
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly minimumAge?: string;
}

export function definePrune(program: Command): void {
  addCommand(program, 'prune <system> [store]', {
    summary: 'remove the backups that no rule keeps, and what only they needed',
    description:
      'Keeps what `keep` and `keepIn` of the plans say, and always the proved, held, young and doubtful ones. Removes the\n' +
      'other backups, waits an hour, then deletes the objects that no backup names any more: beside running captures and\n' +
      'copies, and safe to be interrupted at any point. Without a store, one store after the other.\n\n' +
      '--dry-run reads the stores itself, explains every keep and every delete and what it frees, and changes nothing; it\n' +
      'needs neither engine nor identity. When more than half of the backups of a plan would go, the run waits for\n' +
      '`holdfast approve`, unless --yes is given.',
    examples: ['prune m2m-connector --dry-run', 'prune m2m-connector nas', 'prune m2m-connector nas --yes --json'],
  })
    .option('--dry-run', 'explain what would be kept and deleted, and change nothing')
    .option('--yes', 'do not ask, however much would go')
    .option('--minimum-age <duration>', 'delete nothing that came into the store more recently (default: 24h)')
    .action((system: string, store: string | undefined, options: Options) =>
      perform(options, (shell) => prune(shell, system, store, options)),
    );
}

async function prune(shell: Shell, name: string, storeName: string | undefined, options: Options): Promise<ExitCode> {
  const { loadSystem } = await import('../system/load.ts');
  const system = await loadSystem(name);
  const stores = system.stores.filter((store) => storeName === undefined || store.name === storeName);
  if (stores.length === 0) {
    const { HoldfastError } = await import('../failures.ts');
    const known = system.stores.map((store) => store.name).join(', ');
    throw new HoldfastError('BadInput', `${name} has no store ${storeName ?? ''}; it has ${known}`);
  }
  const minimumAgeSeconds = durationOption('--minimum-age', options.minimumAge);
  const age = minimumAgeSeconds === undefined ? {} : { minimumAgeSeconds };
  if (options.dryRun === true) return dryRun(shell, system, stores, age);
  return runAll(
    shell,
    stores.map((store) => ({
      system: name,
      store: store.name,
      ...age,
      ...(options.yes === true ? { yes: true } : {}),
    })),
  );
}

async function runAll(shell: Shell, inputs: readonly PruneInput[]): Promise<ExitCode> {
  const [{ connectEngine }, { startOperation, findOperation, follow }, { workflowIds, WORKFLOWS }, texts] =
    await Promise.all([
      import('../engine/connect.ts'),
      import('./operation.ts'),
      import('../workflows/contract.ts'),
      import('./prune-texts.ts'),
    ]);
  await using engine = await connectEngine();
  const results: (PruneResult & { store: string })[] = [];
  for (const input of inputs) {
    const workflowId = workflowIds.prune(input.system, input.store);
    const summary = `${input.system}: prune of ${input.store}`;
    const started = await startOperation(engine, shell, { type: WORKFLOWS.prune, workflowId, input, summary });
    if (started === undefined) shell.say(`${input.store} is being pruned already; following that run`);
    const followed = await follow<PruneResult>(engine, shell, started ?? (await findOperation(engine, workflowId)));
    if (followed.state === 'left') return 2;
    results.push({ store: input.store, ...followed.result });
  }
  shell.result({ stores: results }, (colours) => results.map((one) => texts.pruneText(one, colours)).join('\n'));
  return results.every(({ outcome }) => outcome !== 'rejected' && outcome !== 'expired') ? 0 : 1;
}

async function dryRun(
  shell: Shell,
  system: System,
  stores: System['stores'],
  age: { readonly minimumAgeSeconds?: number },
): Promise<ExitCode> {
  const [{ withVault }, { planPrune }, { planText, planFacts }] = await Promise.all([
    import('./vaults.ts'),
    import('../vault/sweep/prune-plan.ts'),
    import('./prune-texts.ts'),
  ]);
  const { signal } = new AbortController();
  const plans: { store: string; plan: Awaited<ReturnType<typeof planPrune>> }[] = [];
  for (const config of stores) {
    const request = { system, storeName: config.name, nowMs: Date.now(), ...age, signal };
    plans.push({ store: config.name, plan: await withVault(system, config, (from) => planPrune(from, request)) });
  }
  shell.result({ system: system.name, stores: plans.map(planFacts) }, (colours) =>
    plans.map((one) => planText(one, colours)).join('\n\n'),
  );
  return plans.every(({ plan }) => plan.blocked.length === 0) ? 0 : 1;
}
