/** A system's runbook: what people do when it is broken, out of its own file. The same file gives the same text. Pure. */
import { createHash } from 'node:crypto';
import type { System } from '../../system/types.ts';
import { formatSeconds } from '../format.ts';
import { byHandText, type RecoveryCommands } from './by-hand.ts';
import { componentsText, missingText, objectivesText, peopleText, plansText, storesText } from './facts.ts';
import { commands, listed, paragraphs } from './markdown.ts';
import { scenariosOf } from './scenarios.ts';

/** Markdown. Blocks marked `sh` run as they stand; those marked `text` have something to fill in. */
export function runbookOf(system: System, guide: readonly RecoveryCommands[]): string {
  const { name, site, hosts, sourceText } = system;
  const digest = createHash('sha256').update(sourceText).digest('hex').slice(0, 12);
  const missing = missingText(system);
  const sections: readonly (readonly [string, string])[] = [
    ['What it is made of', paragraphs(objectivesText(system), componentsText(system), plansText(system))],
    ['Where the backups are', storesText(system)],
    ['Who is called', peopleText(system)],
    ['What is not declared', missing.length === 0 ? 'Nothing that this page would need.' : listed(missing)],
    ['First', firstText(system)],
    ...scenariosOf(system).map(({ title, text }) => [title, text] as const),
    ['By hand, without Holdfast', byHandText(system, guide)],
    ['Afterwards', afterwardsText(system)],
  ];
  const head = [
    `# Runbook of ${name}`,
    `Site **${site}**, host${hosts.length === 1 ? '' : 's'} ${hosts.join(', ')}. Made by \`holdfast runbook ${name}\` from the system file \`${digest}\`: make it again when that changes, and keep a copy where this system's loss does not reach. It holds no secret.`,
    'Blocks run as they stand, but for those with CAPITALS to fill in. What replaces something live waits for approval of its printed plan' +
      ` (${formatSeconds(system.approval.limitSeconds)}${system.approval.fourEyes ? ', by somebody else than who asked' : ''}).`,
  ];
  return `${paragraphs(...head, ...sections.map(([title, text]) => `## ${title}\n\n${text}`))}\n`;
}

function firstText({ name }: System): string {
  return paragraphs(
    'What is wrong, what is there to come back to, what runs and waits. None of it changes anything.',
    commands(`holdfast status ${name} || true`, `holdfast monitor ${name} || true`, `holdfast list ${name}`),
    '`status` and `list` need only a store. All else needs the engine: when a command says that none answers, start it on its machine (`holdfast up`, by hand or by its service) and ask again. What was begun goes on where it was.',
  );
}

function afterwardsText({ name, plans, reconcile }: System): string {
  const compared = reconcile.map((one) => one.name).join(', ');
  return paragraphs(
    reconcile.length === 0
      ? 'No reconciliation is declared (`reconcile`): compare the restored state with what others know of it by hand.'
      : `A whole restore has compared it with the outside: ${compared}. The report says what differs.`,
    'What was done, by whom, and a backup of what is there now:',
    commands(
      `holdfast audit ${name} --verify`,
      `holdfast backup ${name} ${plans[0]?.name ?? 'PLAN'} --tag after-recovery`,
    ),
    'And whether it could be brought back once more, in isolation, with nothing live touched:',
    commands(`holdfast drill ${name}`),
    'Write down what this page lacked.',
  );
}
