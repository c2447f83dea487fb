import type { Command } from 'commander';
import { HoldfastError } from '../failures.ts';
import { addApproval, type ApprovalOptions } from './choice-options.ts';
import { addCommand, perform, type CommonOptions, type ExitCode, type Shell } from './shell.ts';

export interface FailoverOptions extends CommonOptions, ApprovalOptions {
  readonly plan?: boolean;
  readonly backup?: string;
  readonly attest?: string;
  readonly readiness?: boolean;
  readonly rehearse?: boolean;
  readonly fallBacksUnasked?: string;
  readonly planned?: boolean;
  readonly andBack?: string;
  /** Set by `failback`: this site was active before. */
  readonly back?: true;
}

export interface FailoversOptions extends CommonOptions {
  readonly limit?: string;
}

export function defineFailover(program: Command): void {
  const command = addCommand(program, 'failover <system>', {
    summary: 'take a system over from a site that is lost',
    description:
      'Run at the site that takes over; nothing of the lost one is needed. Looks from every declared place whether the active\n' +
      'site is really down, chooses the newest backup that belongs to its history, says what will be lost against the RPO,\n' +
      'and asks. Then it raises the generation, waits until the site before is fenced, restores the whole system, starts it\n' +
      'and asks it through its public name. Until the start every failure gives the generation back. A backup that is found\n' +
      'bad while it is restored gives way to another copy or an older one, at most three times, which is asked for anew.\n\n' +
      'With --plan it looks, prints all of that, and ends: nothing is changed. Exit 1 where the facts refuse it.\n' +
      'With --readiness it says what this site lacks to take over; with --rehearse it also restores in isolation, measured.\n' +
      'Both touch nothing live. Exit 1: not ready, or the rehearsal failed.\n\n' +
      'With --planned the active site is there: it is asked to stop, makes and proves a last backup and answers; that is\n' +
      'restored here, and nothing is lost. When it refuses, or nobody takes over, it runs on. With --and-back it is a\n' +
      'rehearsal: so long after it was handed over, the other site takes it back by itself.',
    examples: [
      'failover m2m-connector --plan',
      'failover m2m-connector',
      'failover m2m-connector --approve 3f9c0d1e2b4a --by ana',
      "failover m2m-connector --attest 'Ana Ruiz'",
      'failover m2m-connector --approve 3f9c0d1e2b4a --fall-backs-unasked 2',
      'failover m2m-connector --backup before:2026-11-21T00:00:00Z --plan',
      'failover m2m-connector --readiness --json',
      'failover m2m-connector --rehearse',
      'failover m2m-connector --planned',
      'failover m2m-connector --planned --and-back 1h',
    ],
  })
    .option('--plan', 'print what would be done and lost, and end')
    .option('--readiness', 'say what this site lacks to take over, and end')
    .option('--rehearse', 'the same, and restore in isolation: what would a failover take?')
    .option('--planned', 'the active site is asked to stop first: nothing is lost')
    .option('--and-back <duration>', 'with --planned: a rehearsal, after which the other site takes it back')
    .option('--backup <id>', 'this backup, or before:<time>; default: the newest of each component')
    .option('--attest <name>', 'with `fencing: attested`: who takes it upon himself that the site before is stopped')
    .option('--fall-backs-unasked <number>', 'take so many older backups without asking, when one is bad (default 0)');
  addApproval(command, 'plan').action((system: string, options: FailoverOptions) =>
    perform(options, (shell) => failover(shell, system, options)),
  );
}

export function defineFailback(program: Command): void {
  const command = addCommand(program, 'failback <system>', {
    summary: 'take a system back to this site, where it ran before, with nothing lost',
    description:
      'Run at the site that comes back, once it is well again. It is `failover --planned` for a site that was active before:\n' +
      'the site that took over stops, makes and proves its last backup and answers, and that is restored here. What was\n' +
      'written here after the other took over stays apart in the stores. When the other refuses, it runs on, and nothing\n' +
      'is changed. Exit 1: refused, rejected or rolled back.',
    examples: [
      'failback m2m-connector --plan',
      'failback m2m-connector',
      'failback m2m-connector --approve 3f9c0d1e2b4a',
    ],
  }).option('--plan', 'print what would be done, and end');
  addApproval(command, 'plan').action((system: string, options: FailoverOptions) =>
    perform(options, (shell) => failover(shell, system, { ...options, planned: true, back: true })),
  );
}

export function defineFailovers(program: Command): void {
  addCommand(program, 'failovers <system>', {
    summary: 'the failovers that were made, from the stores',
    description:
      'Reads the signed reports in the stores; no engine is needed. Newest first: when, from where to where, how it ended,\n' +
      'what was lost, and how long it took with what was waited for apart.',
    examples: ['failovers m2m-connector', 'failovers m2m-connector --json'],
  })
    .option('--limit <number>', 'at most so many (default 20)')
    .action((system: string, options: FailoversOptions) =>
      perform(options, async (shell) => {
        const { showFailovers } = await import('./run-failover.ts');
        return showFailovers(shell, system, options);
      }),
    );
}

async function failover(shell: Shell, system: string, options: FailoverOptions): Promise<ExitCode> {
  if (options.readiness === true || options.rehearse === true) return looks(shell, system, options);
  const [{ connectEngine }, { runFailover }] = await Promise.all([
    import('../engine/connect.ts'),
    import('./run-failover.ts'),
  ]);
  await using engine = await connectEngine();
  return await runFailover(shell, engine, system, options);
}

async function looks(shell: Shell, system: string, options: FailoverOptions): Promise<ExitCode> {
  const { plan, backup, attest, approve, fallBacksUnasked, rehearse = false } = options;
  if ([plan, backup, attest, approve, fallBacksUnasked].some((one) => one !== undefined)) {
    throw new HoldfastError('BadInput', '--readiness and --rehearse take nothing over: leave out what belongs to that');
  }
  const [{ connectEngine }, { runReadiness }] = await Promise.all([
    import('../engine/connect.ts'),
    import('./run-readiness.ts'),
  ]);
  await using engine = await connectEngine();
  return await runReadiness(shell, engine, system, { rehearse });
}
