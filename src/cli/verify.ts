import { Option, type Command } from 'commander';
import type { VerifyInput, VerifyResult, VerifyStoreInput, VerifyStoreResult } from '../workflows/contract.ts';
import { HoldfastError } from '../failures.ts';
import { addCommand, perform, type CommonOptions, type ExitCode, type Shell } from './shell.ts';

interface Options extends CommonOptions {
  readonly level?: 'presence' | 'content';
  readonly store?: string;
  readonly plan?: string;
  readonly whole?: boolean;
  readonly all?: boolean;
  readonly heal?: boolean;
}

export function defineVerify(program: Command): void {
  addCommand(program, 'verify <system> [backup]', {
    summary: 'read a backup, or a whole store, back and say whether it is whole',
    description:
      'Level `content` (default) fetches, opens and compares every chunk and needs the identity on the host; `presence`\n' +
      'needs no key. The verdict is signed and kept beside the backup. A bad backup is an answer: exit 1.\n\n' +
      'With `--whole` everything in the stores is looked at: objects, manifests, proofs, the write-ahead log. Run daily\n' +
      'it reads the share that is due, so that all is read back within `verifyEvery` of the store; `--all` reads\n' +
      'everything now. No key is needed; with an identity objects are opened as well. `--heal` replaces what is bad from\n' +
      'another store; what no store has is put aside, so that the next backup stores it again.',
    examples: [
      'verify m2m-connector',
      'verify m2m-connector 82eed6cab96c --level presence --store nas --json',
      'verify m2m-connector --whole',
      'verify m2m-connector --whole --all --heal --store nas',
    ],
  })
    .addOption(new Option('--level <level>', 'default: content').choices(['presence', 'content']))
    .option('--store <name>', 'the copy in this store')
    .option('--whole', 'the stores as a whole: the share that is due')
    .option('--all', 'with --whole: everything now')
    .option('--heal', 'with --whole: replace what is bad from another store')
    .option('--plan <name>', 'the newest of this plan, when no backup is named')
    .action((system: string, backup: string | undefined, options: Options) =>
      perform(options, (shell) => verify(shell, system, backup, options)),
    );
}

async function verify(shell: Shell, system: string, backup: string | undefined, options: Options): Promise<ExitCode> {
  if (options.whole !== true && (options.all === true || options.heal === true)) {
    throw new HoldfastError('BadInput', '--all and --heal belong to --whole');
  }
  if (options.whole !== true) return verifyBackup(shell, system, backup, options);
  if (backup !== undefined || options.plan !== undefined) {
    throw new HoldfastError('BadInput', '--whole looks at all backups: name neither a backup nor a plan');
  }
  return verifyWhole(shell, system, options);
}

async function verifyWhole(shell: Shell, system: string, options: Options): Promise<ExitCode> {
  const [
    { connectEngine },
    { startOperation, follow, findOperation },
    { workflowIds, WORKFLOWS },
    { checkSystem, checkStores },
  ] = await Promise.all([
    import('../engine/connect.ts'),
    import('./operation.ts'),
    import('../workflows/contract.ts'),
    import('./names.ts'),
  ]);
  await checkSystem(system);
  await checkStores(system, options.store);
  const { store, level, all, heal } = options;
  const input: VerifyStoreInput = {
    system,
    ...(store === undefined ? {} : { store }),
    ...(level === undefined ? {} : { level }),
    ...(all === undefined ? {} : { all }),
    ...(heal === undefined ? {} : { heal }),
  };
  await using engine = await connectEngine();
  const workflowId = workflowIds.verifyStore(system, store);
  const summary = `verification of ${store ?? 'the stores'} of ${system}`;
  const started = await startOperation(engine, shell, { type: WORKFLOWS.verifyStore, workflowId, input, summary });
  if (started === undefined) shell.say('this is being verified already; waiting for that verdict');
  const handle = started ?? (await findOperation(engine, workflowId));
  const followed = await follow<VerifyStoreResult>(engine, shell, handle);
  if (followed.state === 'left') return 2;
  const { showVerifyStoreResult } = await import('./verify-texts.ts');
  return showVerifyStoreResult(shell, followed.result);
}

async function verifyBackup(shell: Shell, system: string, backup = 'latest', options: Options): Promise<ExitCode> {
  const [
    { connectEngine },
    { startOperation, follow, findOperation },
    { workflowIds, WORKFLOWS },
    { checkSystem, checkStores },
  ] = await Promise.all([
    import('../engine/connect.ts'),
    import('./operation.ts'),
    import('../workflows/contract.ts'),
    import('./names.ts'),
  ]);
  await checkSystem(system);
  await checkStores(system, options.store);
  const input: VerifyInput = {
    system,
    backup,
    ...(options.level === undefined ? {} : { level: options.level }),
    ...(options.store === undefined ? {} : { store: options.store }),
    ...(options.plan === undefined ? {} : { plan: options.plan }),
  };
  await using engine = await connectEngine();
  const workflowId = workflowIds.verify(system, backup);
  const summary = `verification of ${system} ${backup}`;
  const started = await startOperation(engine, shell, { type: WORKFLOWS.verify, workflowId, input, summary });
  if (started === undefined) shell.say('this backup is being verified already; waiting for that verdict');
  const handle = started ?? (await findOperation(engine, workflowId));
  const followed = await follow<VerifyResult>(engine, shell, handle);
  if (followed.state === 'left') return 2;
  const { showVerifyResult } = await import('./result-texts.ts');
  return showVerifyResult(shell, followed.result);
}
