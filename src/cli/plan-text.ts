/** A restore's plan as a person reads it before approving: what is stopped, replaced and started, and what is lost. */
import type { Colours } from '../observe/colours.ts';
import { formatAge, formatBytes, formatSeconds } from '../observe/format.ts';
import { ACTION_WORDS, frozenText } from '../observe/plan-words.ts';
import { table } from '../observe/table.ts';
import { shortDigest } from '../policy/approval.ts';
import type { RestorePlan } from '../workflows/contract.ts';
import { partTable, wholeHead } from './whole-texts.ts';

export function planText(plan: RestorePlan, colours: Colours, nowMs: number): string {
  const age = formatSeconds(plan.ageSeconds);
  const lines = [
    `${colours.bold('Restore plan')} ${colours.cyan(shortDigest(plan.digest))}`,
    ...(plan.whole === undefined
      ? [
          `  backup   ${plan.backup} in ${plan.store}`,
          `  point    ${plan.pointAt}: the data will be ${age} old, and what was written since is lost`,
        ]
      : wholeHead(plan.whole, colours)),
    ...(plan.recoverTo === undefined
      ? []
      : [`  recovers ${plan.recoverTo}, from that backup through the log that followed it`]),
    ...(plan.frozen === undefined || plan.whole !== undefined
      ? []
      : [`  ${colours.yellow('frozen')}   ${frozenText(plan.frozen)}`]),
    '',
    indent(componentTable(plan, colours, nowMs)),
    ...(plan.whole === undefined ? [] : ['', indent(partTable(plan.whole, colours))]),
    '',
    indent(actionTable(plan, colours)),
  ];
  if (plan.keepAsideSeconds !== undefined) lines.push(`  aside    ${keptText(plan.keepAsideSeconds, nowMs)}`);
  for (const warning of plan.warnings) lines.push(`  ${colours.yellow('warning')} ${warning}`);
  return lines.join('\n');
}

function componentTable(plan: RestorePlan, colours: Colours, nowMs: number): string {
  const rows = plan.components.map(({ name, kind, host, sizeBytes, liveExists, liveChangedAt }) => {
    const changed =
      liveChangedAt === undefined ? 'there' : `there, changed ${formatAge(Date.parse(liveChangedAt), nowMs)}`;
    return [name, kind, host, formatBytes(sizeBytes), liveExists ? changed : 'not there'];
  });
  return table(['component', 'kind', 'host', 'size', 'live state'], rows, colours);
}

function actionTable(plan: RestorePlan, colours: Colours): string {
  const rows = plan.actions.map(({ action, component, on }, index) => {
    const word = action === 'swap' ? colours.red(ACTION_WORDS[action]) : ACTION_WORDS[action];
    return [`${index + 1}.`, word, component, on.join(', ')];
  });
  return table(['', 'action', 'component', 'on'], rows, colours);
}

/** The restore may be approved hours later: an earliest moment. */
function keptText(keepSeconds: number, nowMs: number): string {
  const until = new Date(nowMs + keepSeconds * 1000).toISOString().replace(/:\d\d\.\d+Z$/, 'Z');
  return `what is replaced is kept aside for ${formatSeconds(keepSeconds)}; it goes with a backup or restore after ${until}`;
}

function indent(text: string): string {
  return text
    .split('\n')
    .map((line) => `  ${line}`)
    .join('\n');
}

/** What to type to say yes or no from elsewhere. */
export function approvalText(system: string, plan: { readonly digest: string }): string {
  const digest = shortDigest(plan.digest);
  return [`approve: holdfast approve ${system} ${digest}`, `reject:  holdfast reject ${system} --why '<reason>'`].join(
    '\n',
  );
}
