/** Runbooks of the shipped systems: every command in them is one that there is, and nothing secret is. */
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { createProgram } from '../../src/cli/program.ts';
import { runbookOf } from '../../src/observe/runbook/runbook.ts';
import { parseSystem } from '../../src/system/parse.ts';
import { recoveryCommands } from '../../src/vault/guide.ts';

const run = promisify(execFile);
const EXAMPLES = path.resolve(import.meta.dirname, '../../examples');
const SYSTEMS = readdirSync(EXAMPLES, { recursive: true, encoding: 'utf8' }).filter((file) => {
  return /^([\w-]+)\/\1\.yaml$/.test(file);
});
const KEYS = [
  '',
  'keys:',
  `  recipients: [age1${'q'.repeat(58)}, age1${'p'.repeat(58)}]`,
  '  chunkIdKey: { env: SHOP_CHUNKS }',
  '  signer: { env: SHOP_SIGNER }',
  '  identity: { env: SHOP_IDENTITY }',
  `  rootFingerprint: SHA256:${'A'.repeat(43)}`,
  '',
].join('\n');

function runbook(text: string): string {
  const whole = /^keys:/m.test(text) ? text : text + KEYS;
  return runbookOf(parseSystem(whole, '/etc/holdfast/system.yaml'), recoveryCommands());
}

const blocks = (markdown: string): string[] =>
  [...markdown.matchAll(/^```(?:sh|text)\n(.*?)^```$/gms)].map((one) => one[1] ?? '');

/** Each call of the program in these blocks, as words. Quotes hold no blanks but in `--why` and `--where`. */
function calls(markdown: string): string[][] {
  return blocks(markdown).flatMap((block) =>
    [...block.matchAll(/(?<=^|\$\()holdfast ((?:'[^']*'|"[^"]*"|[^'"\n|)#&])*)/gm)].map(([, words = '']) =>
      [...words.matchAll(/'[^']*'|"[^"]*"|\S+/g)]
        .map(([word]) => word)
        .filter((word) => word !== '||' && word !== 'true'),
    ),
  );
}

describe('the runbook of a system [M6]', () => {
  test.each(SYSTEMS)(
    '%s: each command in it is one of ours with options that it has, and the shell can read each block',
    async (file) => {
      const markdown = runbook(readFileSync(path.join(EXAMPLES, file), 'utf8'));
      const all = calls(markdown);
      expect(all.length).toBeGreaterThan(20);
      for (const [name = '', ...words] of all) {
        const command = createProgram().commands.find((one) => one.name() === name);
        expect(command, `holdfast ${name}`).toBeDefined();
        expect(command?.parseOptions(words).unknown, `holdfast ${name} ${words.join(' ')}`).toEqual([]);
      }
      for (const block of blocks(markdown)) await run('sh', ['-n', '-c', block]);
    },
  );

  test('the same file: the same text; another file: told by its digest', () => {
    const text = readFileSync(path.join(EXAMPLES, SYSTEMS[0] ?? ''), 'utf8');
    expect(runbook(text)).toBe(runbook(text));
    expect(runbook(`${text}\n# changed\n`)).not.toBe(runbook(text));
  });

  test('nothing but the least is declared: what is missing is said, and a secret is nowhere', () => {
    const markdown = runbook(
      [
        'system: shop',
        'stores: { nas: { kind: directory, path: /mnt/nas } }',
        'components:',
        '  uploads: { kind: files, path: /srv/uploads }',
        '  orders: { kind: sqlite, path: /srv/orders.db, tier: critical }',
        'plans: { daily: { components: [uploads, orders], stores: [nas] } }',
        'checks: { up: { http: { url: "http://localhost:8080/health?key=hunter2" } } }',
        'notify: { ops: { kind: command, command: [tell, --token, hunter2] } }',
        'escalation: { levels: [{ name: L1, after: 0s, notify: [ops], contact: "DevOps, +1 555 0100", action: look at the log }] }',
        'approval: { fourEyes: true }',
      ].join('\n'),
    );
    expect(markdown).not.toContain('hunter2');
    for (const words of [
      'no objective for the whole system',
      'no drills',
      'no store at another place',
      'no store that locks',
    ]) {
      expect(markdown).toContain(words);
    }
    expect(markdown).toContain('DevOps, +1 555 0100');
    expect(markdown).toContain('somebody else than who asked');
    expect(markdown.indexOf('**orders**')).toBeLessThan(markdown.indexOf('**uploads**'));
    expect(markdown).toContain('No Compose project and no systemd unit is declared');
  });

  test('no escalation at all: said, and not left out', () => {
    const file = [
      'system: shop',
      'stores: { nas: { kind: directory, path: /mnt/nas } }',
      'components: { uploads: { kind: files, path: /srv/uploads } }',
      'plans: { daily: { components: [uploads], stores: [nas] } }',
    ];
    expect(runbook(file.join('\n'))).toContain('No escalation is declared');
  });
});
