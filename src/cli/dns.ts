import type { Command } from 'commander';
import type { DnsContext } from '../dns/context.ts';
import type { EntryLook } from '../dns/look.ts';
import type { EntryAudit, PreparedPlan } from '../dns/prepare.ts';
import type { Colours } from '../observe/colours.ts';
import type { System } from '../system/types.ts';
import { addCommand, perform, type CommonOptions, type ExitCode, type Shell } from './shell.ts';

interface DnsOptions extends CommonOptions {
  readonly audit?: boolean;
  readonly prepare?: boolean;
  readonly lead?: boolean;
  readonly yes?: boolean;
}

export function defineDns(program: Command): void {
  addCommand(program, 'dns <system>', {
    summary: 'where the names of a system lead, and whether a failover could change that',
    description:
      'For each name of `failover.dns`: what it holds for each site, what its zone holds now, and what name servers and\n' +
      'resolvers answer. Takes a registered name or a path, and changes nothing without an option that says so.\n\n' +
      '--audit says everything that differs from the system file: record sets, TTLs, protections, and of a prepared switch\n' +
      'its health check, inversion and target. Exit 1 when anything differs, or could not be looked at.\n\n' +
      '--prepare makes the record sets and the health check of a `route53-health`, while the control plane of Route 53\n' +
      'answers: it prints what it would do and asks; --yes answers.\n\n' +
      '--lead leads the names to the site of this file, where the system is active, as a failover does it: what is changed is\n' +
      'printed and asked for, and each name that can not be led is told and keeps no other from it. For what a failover\n' +
      'has left. Exit 1 when anything does not lead here.',
    examples: ['dns my-stack', 'dns my-stack --audit', 'dns ./my-stack.yaml --prepare --yes', 'dns my-stack --lead'],
  })
    .option('--audit', 'say what differs from the system file')
    .option('--prepare', 'make what a switch without a control plane needs')
    .option('--lead', 'lead the names to this site, which is the active one')
    .option('--yes', 'with --prepare or --lead: do not ask')
    .action((system: string, options: DnsOptions) => perform(options, (shell) => dns(shell, system, options)));
}

async function dns(shell: Shell, name: string, options: DnsOptions): Promise<ExitCode> {
  const [{ loadSystem, loadSystemFile }, { dnsContext }, { HoldfastError }] = await Promise.all([
    import('../system/load.ts'),
    import('../dns/context.ts'),
    import('../failures.ts'),
  ]);
  const system = /[/.]/.test(name) ? await loadSystemFile(name) : await loadSystem(name);
  const context: DnsContext = {
    ...dnsContext(system),
    signal: new AbortController().signal,
    report: (phase) => shell.detail(phase),
  };
  if (context.entries.length === 0) {
    throw new HoldfastError('BadInput', `${system.name} has no names: its file has no \`failover.dns\``, {
      hint: 'docs/dns.md says how they are written.',
    });
  }
  if (options.prepare === true) return prepare(shell, system, context, options.yes === true);
  if (options.lead === true) {
    const [{ leadHere }, { tellAudit }] = await Promise.all([import('./dns-lead.ts'), import('./audited.ts')]);
    const tell = (about: string) => tellAudit(shell, system, { operation: 'dns lead', outcome: 'changed', about });
    return leadHere(shell, system, context, { yes: options.yes === true, tell });
  }
  if (options.audit === true) return audit(shell, context);
  const { lookAtNames } = await import('../dns/look.ts');
  const looks = await lookAtNames(context);
  shell.result({ system: system.name, site: system.site, names: looks }, (colours) => lookText(looks, colours));
  return looks.some(({ troubles }) => troubles.length > 0) ? 1 : 0;
}

async function audit(shell: Shell, context: DnsContext): Promise<ExitCode> {
  const { auditNames } = await import('../dns/prepare.ts');
  const audits = await auditNames(context);
  const bad = audits.some(({ differences, unknown }) => differences.length > 0 || unknown.length > 0);
  shell.result({ ok: !bad, audits }, (colours) => audits.map((one) => auditText(one, colours)).join('\n'));
  return bad ? 1 : 0;
}

async function prepare(shell: Shell, system: System, context: DnsContext, yes: boolean): Promise<ExitCode> {
  const [{ planPreparation, prepareEntry }, { tellAudit }, { agreed }] = await Promise.all([
    import('../dns/prepare.ts'),
    import('./audited.ts'),
    import('./agreed.ts'),
  ]);
  const plans: PreparedPlan[] = [];
  for (const entry of context.entries) {
    if (entry.kind === 'route53-health') plans.push(await planPreparation(context, entry));
  }
  const lines = plans.flatMap((plan) => plan.lines);
  const result = (done: boolean, text: string): void =>
    shell.result({ system: system.name, prepared: done, changes: lines }, () => text);
  if (lines.length === 0) {
    result(true, plans.length === 0 ? 'no `route53-health` in the system file' : 'everything is prepared');
    return plans.length === 0 ? 1 : 0;
  }
  for (const line of lines) shell.say(line);
  if (!yes && !(await agreed(shell))) {
    result(false, 'Nothing was changed; --prepare --yes makes it so.');
    return 1;
  }
  for (const plan of plans) await prepareEntry(context, system.name, plan);
  const about = lines.join('; ').slice(0, 500);
  await tellAudit(shell, system, { operation: 'dns prepare', outcome: 'changed', about });
  result(true, 'prepared, and on all name servers');
  return 0;
}

function lookText(looks: readonly EntryLook[], colours: Colours): string {
  return looks
    .flatMap(({ title, kind, names, state, troubles }) => [
      `${colours.bold(title)}${state === undefined ? '' : kind === 'command' ? `  ${state}` : `  switch ${state}`}`,
      ...names.flatMap(({ name, type, declared, holds, site, answers }) => [
        `  ${name} ${type}${site === undefined ? '' : ` leads to ${colours.green(site)}`}`,
        ...Object.entries(declared).map(([of, held]) => `    ${of === site ? colours.green(of) : of}: ${held}`),
        ...(holds ?? []).map((held) => `    now: ${held}`),
        ...Object.entries(answers).map(([server, answer]) => `    ${colours.dim(server)}: ${answer}`),
      ]),
      ...troubles.map((trouble) => `  ${colours.yellow('unknown')} ${trouble}`),
    ])
    .join('\n');
}

function auditText({ title, differences, unknown }: EntryAudit, colours: Colours): string {
  const head = differences.length + unknown.length === 0 ? colours.green('as declared') : colours.red('differs');
  return [
    `${title}: ${differences.length === 0 && unknown.length > 0 ? colours.yellow('unknown') : head}`,
    ...differences.map((difference) => `  ${difference}`),
    ...unknown.map((what) => `  could not be looked at: ${what}`),
  ].join('\n');
}
