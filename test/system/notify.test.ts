import { describe, expect, test } from 'vitest';
import { HoldfastError } from '../../src/failures.ts';
import { policyFor } from '../../src/policy/escalation.ts';
import { parseSystem } from '../../src/system/parse.ts';
import type { System } from '../../src/system/types.ts';
import { exampleText, keySection } from './keys.ts';

const SMALL = `system: small
stores: { nas: { kind: directory, path: /mnt/nas } }
components: { data: { kind: volume, volume: data } }
plans: { daily: { components: [data], stores: [nas] } }
`;

function parse(more: string): System {
  return parseSystem(`${SMALL}${more}${keySection()}`, 'x.yaml');
}

/** Of the lines that were added, counted from 1. */
function problemsOf(more: string): string[] {
  try {
    parse(more);
    return [];
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    const { problems } = error.details as { problems: { line: number; message: string }[] };
    return problems.map(({ line, message }) => `${line - 4}: ${message}`);
  }
}

function example(name: string): System {
  return parseSystem(exampleText(name), `${name}.yaml`);
}

const SLACK = '{ kind: slack, url: { env: URL } }';

describe('channels and escalation', () => {
  test('[M8] the connector: four levels by outage time, for whatever is critical', () => {
    const { escalation, notify } = example('m2m-connector');
    const policy = policyFor(escalation, { check: 'store', severity: 'critical' });
    expect(policy).toMatchObject({ countFrom: 'outage', repeatSeconds: 14_400 });
    expect(policy.levels.map(({ afterSeconds, channels }) => [afterSeconds / 60, ...channels])).toEqual([
      [0, 'on-call'],
      [30, 'team-lead'],
      [60, 'management'],
      [240, 'executive'],
    ]);
    expect(notify.map(({ kind }) => kind)).toEqual(['webhook', 'slack', 'email', 'email']);
  });

  test('[B10] tbcv: a failed job within an hour, corruption within fifteen minutes, a system failure at once', () => {
    const { escalation } = example('tbcv');
    const times = (check: 'run' | 'corruption' | 'component') => {
      const { levels, countFrom } = policyFor(escalation, { check, severity: 'critical' });
      return [countFrom, ...levels.map(({ name, afterSeconds }) => `${name} ${afterSeconds / 60}`)];
    };
    expect(times('run')).toEqual(['notice', 'Level 1 0', 'Level 2 60']);
    expect(times('corruption')).toEqual(['notice', 'Level 2 0', 'Level 3 15']);
    expect(times('component')).toEqual(['notice', 'Level 3 0']);
  });

  test('[T7] tracktion: Slack hears of every backup that is done or fails, and of every incident', () => {
    const { escalation, notify } = example('tracktion');
    expect(notify[0]?.on).toContain('backup done');
    expect(notify[0]?.on).toContain('backup failed');
    const { levels } = policyFor(escalation, { check: 'disk', severity: 'warning' });
    expect(levels).toEqual([{ name: 'everyone', afterSeconds: 0, channels: ['backups'] }]);
  });

  test('nothing said: no channels, and incidents that nobody is told of', () => {
    const { notify, escalation } = parse('');
    expect(notify).toEqual([]);
    expect(escalation.base.levels).toEqual([]);
  });

  test('the defaults of mail: STARTTLS and its port, or those of what is written', () => {
    const mail = (more: string) =>
      parse(`notify: { m: { kind: email, server: s, from: a@b, to: [c@d], on: [incident]${more} } }\n`).notify[0];
    expect(mail('')).toMatchObject({ tls: 'starttls', port: 587 });
    expect(mail(', tls: tls')).toMatchObject({ port: 465 });
    expect(mail(', tls: none, port: 2525')).toMatchObject({ tls: 'none', port: 2525 });
  });

  test('a class replaces what it names: the rest is that of the section', () => {
    const { escalation } = parse(
      [
        `notify: { a: ${SLACK}, b: ${SLACK} }`,
        'escalation:',
        '  levels: [{ name: one, after: 0s, notify: [a] }]',
        '  repeat: 2h',
        '  settle: 1m',
        '  classes: { corruption: { levels: [{ name: other, after: 5m, notify: [b] }] }, warning: { repeat: 1d } }',
        '',
      ].join('\n'),
    );
    const { corruption, warning } = escalation.classes;
    expect(corruption).toMatchObject({ repeatSeconds: 7200, settleSeconds: 60, levels: [{ channels: ['b'] }] });
    expect(warning).toMatchObject({ repeatSeconds: 86_400, levels: [{ channels: ['a'] }] });
  });

  test('names and times that do not fit: each with its line and what to write instead', () => {
    const more = [
      `notify: { chat: ${SLACK}, left: ${SLACK} }`,
      'escalation:',
      '  levels:',
      '    - { name: L1, after: 30m, notify: [chta] }',
      '    - { name: L2, after: 10m, notify: [chat] }',
      '    - { name: L2, after: 1h, notify: [chat] }',
      '  classes:',
      '    coruption: { repeat: 1h }',
      '',
    ].join('\n');
    expect(problemsOf(more)).toEqual([
      '1: nothing is ever sent to `left`: add `on: [incident]`, or name it in a level of `escalation`',
      '4: there is no channel `chta`; did you mean `chat`?',
      '5: `L2` is told after 10m, and `L1` before it after 30m: write a longer time, or put them in order',
      '6: there are two levels `L2`: rename one',
      '8: there is no check or severity `coruption`; did you mean `corruption`?',
    ]);
  });

  test('shapes that do not fit: told without a secret', () => {
    const more = [
      'notify:',
      '  chat: { kind: slack, url: "https://hooks.example.net/hunter2", on: [backup fail] }',
      '  mail: { kind: email, server: s, from: a@b, to: [c@d], user: u, on: [incident] }',
      '  open:',
      '    { kind: email, server: s, from: a@b, to: [c@d], tls: none, user: u, password: { env: P }, on: [incident] }',
      '  Wrong: { kind: pager }',
      '  words: { kind: command, command: [say], template: "{titel}", on: [incident] }',
      '',
    ].join('\n');
    const problems = problemsOf(more);
    expect(problems.join('\n')).not.toContain('hunter2');
    expect(problems).toEqual([
      expect.stringMatching(/^2: `notify\.chat\.url` holds a value where a reference is wanted/),
      expect.stringMatching(/^2: .*did you mean `backup failed`/),
      expect.stringMatching(/^3: `user` and `password` belong together/),
      expect.stringMatching(/^5: `none` would send the password in the clear/),
      expect.stringMatching(/^6: .*write a name of a-z/),
      expect.stringMatching(/^6: .*write `slack`, `webhook`, `email`, `command`/),
      expect.stringMatching(/^7: there is no placeholder \{titel\}; did you mean \{title\}/),
    ]);
  });
});
