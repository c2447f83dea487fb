/** What the schema of channels and escalation can't say: names that exist, times that ascend, templates that can be filled. Pure. */
import { unknownPlaceholders, PLACEHOLDERS } from '../policy/templates.ts';
import { durationSeconds } from './durations.ts';
import type { DeclaredNames } from './checks.ts';
import { ESCALATION_CLASSES } from './notify-schema.ts';
import { nearest, type ProblemPath } from './problems.ts';
import { reportUnknown, unknownName, type Report } from './report.ts';
import { NAME_PATTERN, type SystemFile } from './schema.ts';

type Levels = NonNullable<SystemFile['escalation']>['levels'];

export function checkNotify(file: SystemFile, names: DeclaredNames, report: Report): void {
  // Also those whose shape is wrong.
  const declared = names.channels;
  checkChannels(file, names, report);
  const { escalation } = file;
  if (escalation === undefined) return;
  checkLevels(['escalation', 'levels'], escalation.levels, declared, report);
  for (const [name, policy] of Object.entries(escalation.classes ?? {})) {
    const path = ['escalation', 'classes', name];
    if (!ESCALATION_CLASSES.includes(name)) {
      report(path, unknownName('check or severity', name, ESCALATION_CLASSES), true);
    }
    if (policy.levels !== undefined) checkLevels([...path, 'levels'], policy.levels, declared, report);
  }
}

function checkChannels(file: SystemFile, names: DeclaredNames, report: Report): void {
  for (const name of names.channels) {
    if (NAME_PATTERN.test(name)) continue;
    report(['notify', name], `\`${name}\`: write a name of a-z, 0-9 and -, starting with a letter`, true);
  }
  const used = new Set(usedChannels(file));
  // A section that was left out for its shape may well name them.
  const isUseKnown = !names.escalates || file.escalation !== undefined;
  for (const [name, channel] of Object.entries(file.notify ?? {})) {
    const path = ['notify', name];
    if (isUseKnown && channel.on === undefined && !used.has(name)) {
      report(
        path,
        `nothing is ever sent to \`${name}\`: add \`on: [incident]\`, or name it in a level of \`escalation\``,
        true,
      );
    }
    channel.on?.forEach((event, index) => {
      if (channel.on?.indexOf(event) === index) return;
      report([...path, 'on', index], `\`${event}\` is named twice: remove one`);
    });
    checkTemplate([...path, 'template'], channel.template, report);
    if (channel.kind === 'email') checkEmail(path, channel, report);
  }
}

function usedChannels({ escalation }: SystemFile): string[] {
  const classes = Object.values(escalation?.classes ?? {});
  return [escalation, ...classes].flatMap((policy) => policy?.levels ?? []).flatMap((level) => level.notify);
}

function checkEmail(
  path: ProblemPath,
  channel: Extract<NonNullable<SystemFile['notify']>[string], { kind: 'email' }>,
  report: Report,
): void {
  const { user, password, tls, server, subject } = channel;
  if ((user === undefined) !== (password === undefined)) {
    report([...path], '`user` and `password` belong together: add the missing one');
  }
  const isHere = ['localhost', '127.0.0.1', '::1'].includes(server);
  if (tls === 'none' && password !== undefined && !isHere) {
    report([...path, 'tls'], '`none` would send the password in the clear: write `starttls` or `tls`');
  }
  checkTemplate([...path, 'subject'], subject, report);
}

function checkTemplate(path: ProblemPath, template: string | undefined, report: Report): void {
  for (const name of unknownPlaceholders(template ?? '')) {
    const guess = nearest(name, PLACEHOLDERS);
    const instead =
      guess === undefined
        ? `write one of: ${PLACEHOLDERS.map((one) => `{${one}}`).join(' ')}`
        : `did you mean {${guess}}?`;
    report(path, `there is no placeholder {${name}}; ${instead}`);
  }
}

function checkLevels(path: ProblemPath, levels: Levels, declared: readonly string[], report: Report): void {
  levels.forEach(({ name, after, notify }, index) => {
    const before = levels[index - 1];
    if (before !== undefined && durationSeconds(after) <= durationSeconds(before.after)) {
      report(
        [...path, index, 'after'],
        `\`${name}\` is told after ${after}, and \`${before.name}\` before it after ${before.after}: write a longer time, or put them in order`,
      );
    }
    if (levels.findIndex((other) => other.name === name) !== index) {
      report([...path, index, 'name'], `there are two levels \`${name}\`: rename one`);
    }
    notify.forEach((channel, at) => {
      reportUnknown([...path, index, 'notify', at], 'channel', channel, declared, report);
    });
  });
}
