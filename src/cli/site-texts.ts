/** `holdfast site` for people. */
import type { Colours } from '../observe/colours.ts';
import type { Standing } from '../policy/failover/standing.ts';
import type { SiteReport } from './site-report.ts';

export function siteText(report: SiteReport, colours: Colours): string {
  const { system, site, standing, generations, guard, holds, fencing, authority } = report;
  const good = standing.kind === 'active';
  return [
    `${colours.bold(system)} at ${site}: ${good ? colours.green(words(standing)) : colours.red(words(standing))}`,
    `  authority store ${authority}, fencing ${fencing}`,
    ...generations.map(({ n, site: where, at, by, clearedAt, fencing: how }) => {
      const cleared = clearedAt === undefined ? 'not cleared' : `cleared ${clearedAt} (${how ?? ''})`;
      return `  generation ${n}: ${where}, raised ${at}${by === undefined ? '' : ` by ${by}`}, ${cleared}`;
    }),
    ...(fencing === 'lease' || guard !== undefined ? [`  guard: ${guardWords(guard)}`] : []),
    ...holds.map((name) => `  held: ${name} (holdfast site ${system} --release ${name})`),
  ].join('\n');
}

function words(standing: Standing): string {
  switch (standing.kind) {
    case 'active':
      return `active, generation ${standing.n}`;
    case 'elsewhere':
      return `not active: generation ${standing.n} is at ${standing.site}`;
    case 'unclear':
      return `generation ${standing.n} is this site's, and not cleared yet`;
    case 'handed':
      return `not active: generation ${standing.n} was stopped for ${standing.site}, which asked for it`;
    case 'none':
      return 'not put on a site yet (--activate)';
    case 'unreadable': {
      const { why, last } = standing;
      return `nobody knows: ${why}${last === undefined ? '' : `; last read: generation ${last.n} at ${last.site}`}`;
    }
  }
}

function guardWords(guard: SiteReport['guard']): string {
  if (guard === undefined) return 'none has run since this machine was started';
  const { pid, told, saidSecondsAgo, heldForSeconds, stack } = guard;
  const held = heldForSeconds === undefined ? 'no lease' : `lease for ${heldForSeconds} s more`;
  return `${told} (${held}; stack ${stack}; process ${pid}, ${saidSecondsAgo} s ago)`;
}
