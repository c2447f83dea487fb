/** `holdfast dns <system> --lead`: what a failover has left undone with the names, by hand. */
import { leadByHand, type LedByHand } from '../dns/lead.ts';
import { planNames } from '../dns/plan.ts';
import type { DnsContext } from '../dns/context.ts';
import { HoldfastError } from '../failures.ts';
import type { Colours } from '../observe/colours.ts';
import { whyMayNotRun } from '../policy/failover/standing.ts';
import { siteStanding } from '../sites/standing.ts';
import type { System } from '../system/types.ts';
import { agreed } from './agreed.ts';
import type { ExitCode, Shell } from './shell.ts';

/**
 * Leads the names to the site of this file, after it has shown what is changed. Throws SiteFenced where the system belongs to
 * another site. Exit 1 when anything does not lead here. `tell` hands what was done to the audit log.
 */
export async function leadHere(
  shell: Shell,
  system: System,
  context: DnsContext,
  { yes, tell }: { readonly yes: boolean; readonly tell: (about: string) => Promise<void> },
): Promise<ExitCode> {
  const standing = await siteStanding(system, { signal: context.signal });
  const why = whyMayNotRun(standing);
  if (why !== undefined && standing.kind !== 'unreadable') {
    throw new HoldfastError('SiteFenced', `The names of ${system.name} are not led to ${system.site}: ${why}`);
  }
  if (why !== undefined) shell.say(`take care: ${why}, so that nothing says that the system runs at ${system.site}`);
  const [from, ...more] = (system.failover?.sites ?? []).filter((site) => site !== system.site);
  const plan = await planNames(context, system.site, more.length > 0 ? undefined : from);
  for (const line of [...plan.lines, ...plan.warnings.map((warning) => `warning: ${warning}`)]) shell.say(line);
  const { unplanned = [] } = plan;
  for (const words of unplanned) shell.say(`left as it is: ${words}`);
  if (!yes && !(await agreed(shell))) {
    shell.result({ system: system.name, led: [], unplanned }, () => 'Nothing was changed; --lead --yes makes it so.');
    return 1;
  }
  const led = await leadByHand(context, plan);
  const about = led.map(({ title, standing: stands }) => `${title}: ${stands}`).join('; ');
  await tell(about.slice(0, 500));
  shell.result({ system: system.name, led, unplanned }, (colours) =>
    led.map((one) => ledText(one, colours)).join('\n'),
  );
  return unplanned.length === 0 && led.every((one) => one.standing === 'here') ? 0 : 1;
}

function ledText({ standing, words, lines }: LedByHand, colours: Colours): string {
  const mark =
    standing === 'here' ? colours.green('✓') : standing === 'on its way' ? colours.yellow('…') : colours.red('✗');
  return [`${mark} ${words}`, ...lines.map((line) => `    ${line}`)].join('\n');
}
