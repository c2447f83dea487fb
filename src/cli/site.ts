import type { Command } from 'commander';
import type { System } from '../system/types.ts';
import { addCommand, perform, type CommonOptions, type ExitCode, type Shell } from './shell.ts';

interface Options extends CommonOptions {
  readonly activate?: boolean;
  readonly guard?: string;
  readonly hold?: string;
  readonly release?: string;
}

export function defineSite(program: Command): void {
  addCommand(program, 'site <system>', {
    summary: 'which site runs the system; the guard that keeps it to one',
    description:
      'Shows which site is active by the authority store, all generations, the lease that the guard of this machine holds,\n' +
      'and who holds the stack. Exit 1 when this site is not active.\n\n' +
      '`--activate` puts a new system on this site: it raises and clears the first generation.\n\n' +
      '`--guard` with one of: run (in the foreground, until it is ended, which stops the stack), install, remove, status\n' +
      '(its systemd unit), restart (to read the system file again; the stack goes on), after (what the unit does when the\n' +
      'guard has ended), policies (sets the restart policy of the containers to `no`, and has the units ask for the lease).\n\n' +
      'While the stack is held the guard starts nothing; it is the way to stop a stack on purpose.',
    examples: [
      'site m2m-connector',
      'site m2m-connector --activate',
      'site m2m-connector --guard install',
      'site m2m-connector --hold maintenance',
      'site m2m-connector --release maintenance',
    ],
  })
    .option('--activate', 'put the system on this site, as the first')
    .option('--guard <what>', 'run, install, remove, status, restart, after, policies')
    .option('--hold <name>', 'the guard starts nothing until it is released')
    .option('--release <name>', 'ends a hold')
    .action((system: string, options: Options) => perform(options, (shell) => site(shell, system, options)));
}

async function site(shell: Shell, name: string, options: Options): Promise<ExitCode> {
  const [{ HoldfastError }, { loadSystem }, { failoverOf }] = await Promise.all([
    import('../failures.ts'),
    import('../system/load.ts'),
    import('../sites/authority.ts'),
  ]);
  const { activate: wantsActivation, guard, hold, release } = options;
  if ([wantsActivation, guard, hold, release].filter((one) => one !== undefined).length > 1) {
    throw new HoldfastError('BadInput', 'one of --activate, --guard, --hold, --release at a time');
  }
  const system = guard === undefined ? await loadSystem(name) : await systemForGuard(name);
  failoverOf(system);
  if (guard !== undefined) {
    const { guardCommand } = await import('./site-guard-command.ts');
    return guardCommand(shell, system, guard);
  }
  if (hold !== undefined || release !== undefined) {
    const { holdStack, releaseStack } = await import('../sites/holds.ts');
    if (hold !== undefined) await holdStack(name, hold);
    if (release !== undefined) await releaseStack(name, release);
  }
  if (wantsActivation === true) await activate(shell, system);
  return show(shell, system);
}

/** A guard has to live with a file that became bad, and with a system that nobody registers: it goes by what it said before. */
async function systemForGuard(name: string): Promise<System> {
  const { loadEverKnownSystem } = await import('../system/index.ts');
  return loadEverKnownSystem(name);
}

async function show(shell: Shell, system: System): Promise<ExitCode> {
  const { siteReport } = await import('./site-report.ts');
  const { siteText } = await import('./site-texts.ts');
  const report = await siteReport(system);
  shell.result(report, (colours) => siteText(report, colours));
  if (report.standing.kind === 'unreadable') return 2;
  return report.standing.kind === 'active' ? 0 : 1;
}

/** The first generation. A repeat that was broken off between its two records goes on. */
async function activate(shell: Shell, system: System): Promise<void> {
  const [{ HoldfastError }, { siteSigner, withAuthority }, generations, { whoAmI }, { tellAudit }] = await Promise.all([
    import('../failures.ts'),
    import('../sites/authority.ts'),
    import('../vault/sites/generation.ts'),
    import('./names.ts'),
    import('./audited.ts'),
  ]);
  const signer = await siteSigner(system);
  const by = await whoAmI();
  const raiseId = `first at ${system.site}`;
  const done = await withAuthority(system, async (authority) => {
    const given = { n: 1, site: system.site, raiseId, by };
    const raised = await generations.raiseGeneration(authority, given, { signer, atMs: Date.now() });
    const newest = await generations.newestGeneration(authority);
    if (raised.kind === 'taken' || newest?.n !== 1) {
      const { n = 1, site: where = '' } = newest ?? {};
      throw new HoldfastError('SiteFenced', `${system.name} was put on a site before: generation ${n} is at ${where}`, {
        hint: 'holdfast failover takes a system over from another site.',
      });
    }
    if (newest.cleared !== undefined) return 'so already' as const;
    const evidence = 'there was no site before';
    await generations.clearGeneration(
      authority,
      raised.record,
      { fencing: 'first', evidence, by },
      { signer, atMs: Date.now() },
    );
    return 'activated' as const;
  });
  if (done === 'so already') return;
  const about = `${system.name} is put on the site ${system.site}`;
  await tellAudit(shell, system, { operation: 'site', outcome: 'activated', about });
}
