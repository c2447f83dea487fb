import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HoldfastError } from '../../src/failures.ts';
import { parseDurationSeconds } from '../../src/system/durations.ts';
import { localHost } from '../../src/system/home.ts';
import { listSystems, loadSystem, registerSystem } from '../../src/system/load.ts';
import { parseSystem } from '../../src/system/parse.ts';
import { KEYS } from '../../src/system/problems.ts';
import { systemJsonSchema } from '../../src/system/schema.ts';
import { exampleFile, keySection } from './keys.ts';
import { tagged } from './lines.ts';

const KEY_SECTION = keySection();

const SMALL = `system: small
stores:
  nas: { kind: directory, path: /mnt/nas }
components:
  data: { kind: volume, volume: data }
plans:
  daily: { components: [data], stores: [nas] }
${KEY_SECTION}`;

/** `line: message` of every problem. */
function problemsOf(text: string): string[] {
  try {
    parseSystem(text, 'x.yaml');
    return [];
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    expect(error.code).toBe('BadSystemFile');
    const { problems } = error.details as { problems: { line: number; message: string }[] };
    return problems.map(({ line, message }) => `${line}: ${message}`);
  }
}

describe('a system file', () => {
  it('[M1] [M2] the M2M connector, with keys: loads with its components and plans', () => {
    const text = readFileSync(exampleFile('m2m-connector'), 'utf8');
    const system = parseSystem(text + keySection({ identity: true }), 'm2m-connector.yaml');
    const component = (name: string) => system.components.find((one) => one.name === name);
    expect(component('ledger')).toMatchObject({
      kind: 'volume',
      volume: 'tigerbeetle-data',
      tier: 'critical',
      quiesce: { mode: 'pause', budgetSeconds: 30 },
    });
    expect(component('wallet')).toMatchObject({ kind: 'sqlite', tier: 'critical', usedBy: ['connector'] });
    expect(component('seed')).toMatchObject({ path: '/opt/m2m/data/wallet/master-seed.enc', tier: 'critical' });
    expect(system.plans.map(({ name, schedule }) => [name, schedule?.cron])).toEqual([
      ['hourly', '5 * * * *'],
      ['daily', '0 2 * * *'],
      ['weekly', '0 3 * * SUN'],
      ['monitoring', '30 3 * * SUN'],
      ['monthly', '0 4 1 * *'],
      ['config', undefined],
    ]);
    expect(system.plans.find(({ name }) => name === 'weekly')?.quiesce?.mode).toBe('stop');
    expect(system.plans.find(({ name }) => name === 'config')?.onChange).toBe(true);
    expect(system.plans.find(({ name }) => name === 'hourly')?.rpoSeconds).toBe(3600);
  });

  it('a large example and the model, on a host that can read no backup: load once they have keys', () => {
    for (const name of ['btcdecoded', 'model']) {
      const text = readFileSync(exampleFile(name), 'utf8');
      expect(problemsOf(text + KEY_SECTION)).toEqual([]);
    }
  });

  it('only what must be there: every default is filled in', () => {
    expect(parseSystem(SMALL, '/etc/small.yaml')).toMatchObject({
      name: 'small',
      site: 'main',
      hosts: ['local'],
      components: [
        { name: 'data', host: 'local', tier: 'important', after: [], quiesce: { mode: 'pause', budgetSeconds: 30 } },
      ],
      plans: [{ name: 'daily', onChange: false, keepIn: {}, verify: 'presence' }],
      stores: [{ name: 'nas', kind: 'directory', mustBeMounted: false }],
      approval: { limitSeconds: 86_400 },
      keepAsideSeconds: 604_800,
      sourceText: SMALL,
      sourcePath: '/etc/small.yaml',
    });
  });

  it('S3 with an endpoint: path style, and the system as the prefix', () => {
    const text = SMALL.replace(
      '{ kind: directory, path: /mnt/nas }',
      '{ kind: s3, bucket: b, endpoint: "http://x:9000" }',
    );
    expect(parseSystem(text, 'x').stores[0]).toEqual({
      name: 'nas',
      kind: 's3',
      bucket: 'b',
      endpoint: 'http://x:9000',
      prefix: 'small',
      region: 'us-east-1',
      pathStyle: true,
      place: 'http://x:9000',
      medium: 'object storage',
      maintainedBy: 'local',
      verifyEverySeconds: 2_592_000,
    });
  });
});

describe('mistakes in a system file', () => {
  it('many at once: each is told with its line and what to write instead', () => {
    const found = problemsOf(tagged`
      system: M2M
      hots: [a]
      stores:
        nas: { kind: directry, path: /x }
        s: { kind: s3, bucket: b, wat: 1 }
      components:
        ledger: { kind: volume, volume: v, quiesce: pauze, afterr: [x] }
        other: { kind: volume, quiesce: { mode: stop, budget: long } }
      plans:
        daily: { components: [], stores: [nas], keep: { daly: 3 }, schedule: { cron: 5 } }
    `);
    const expected = [
      [1, 'a-z, 0-9 and -'],
      [2, 'did you mean `hosts`?'],
      [4, 'did you mean `directory`?'],
      [5, '`wat` in `stores.s` is not known'],
      [7, 'did you mean `pause`?'],
      [7, 'did you mean `after`?'],
      [8, '`components.other.volume` is missing'],
      [8, 'write a duration such as'],
      [10, 'name at least one component'],
      [10, 'did you mean `daily`?'],
      [10, 'write a text (in quotes'],
    ] as const;
    expect(found).toHaveLength(expected.length);
    for (const [index, [line, words]] of expected.entries()) {
      expect(found[index]).toMatch(new RegExp(`^${line}: `));
      expect(found[index]).toContain(words);
    }
  });

  it('a number where a duration is wanted: told so, beside the other mistakes of the same plan', () => {
    const found = problemsOf(tagged`
      system: small
      stores: { nas: { kind: directory, path: /x } }
      components: { config: { kind: files, path: /w } }
      plans:
        daily: { components: [confg], stores: [nas], schedule: 0 2 * *, rpo: 26 }
      ${KEY_SECTION.trim().replaceAll('\n', '\n      ')}
    `);
    expect(found.map((line) => line.replace(/^5: /, ''))).toEqual([
      expect.stringContaining('did you mean `config`?'),
      expect.stringContaining('write five fields'),
      expect.stringContaining('`plans.daily.rpo` is `26`: write a duration such as'),
    ]);
  });

  it('names that do not exist, a circle, a bad cron and zone: each is told, with the nearest name', () => {
    const found = problemsOf(tagged`
      system: small
      hosts: [alpha]
      stores: { nas: { kind: directory, path: /x } }
      components:
        ledger: { kind: volume, volume: v, after: [wallet], host: alpa }
        wallet: { kind: files, path: /w, after: [ledger, ledgr] }
      plans:
        daily:
          components: [ledgre]
          stores: [nas, nas]
          schedule: { cron: 70 2 * * *, timeZone: Berlin }
          verify: content
        never: { components: [ledger], stores: [nas], schedule: 0 0 31 2 * }
      ${KEY_SECTION.trim().replaceAll('\n', '\n      ')}
    `);
    const words = [
      'did you mean `alpha`?',
      'circle (ledger → wallet → ledger)',
      'there is no component `ledgr`; did you mean `ledger`?',
      'there is no component `ledgre`; did you mean `ledger`?',
      '`nas` is named twice',
      'is no cron expression',
      '`Berlin` is no time zone',
      'needs `keys.identity`',
      'never comes',
    ];
    expect(found).toHaveLength(words.length);
    for (const [index, word] of words.entries()) expect(found[index]).toContain(word);
  });

  it('one entry has a wrong shape and another names what is not there: both are told', () => {
    const found = problemsOf(
      SMALL.replace('{ kind: volume, volume: data }', '{ kind: volume, volum: data }').replace('[nas]', '[nass]'),
    );
    expect(found.join('\n')).toContain('did you mean `volume`?');
    expect(found.join('\n')).toContain('there is no store `nass`; did you mean `nas`?');
    expect(found.join('\n')).not.toContain('no component `data`');
  });

  it('[G1] a rule that the stores of a plan cannot meet: refused at the plan, with what is short; met: taken', () => {
    const ruled = `${SMALL}rule: {}\n`;
    expect(problemsOf(ruled)).toEqual([
      expect.stringMatching(
        /^7: .*2 of 3 copies \(the live data counted\); 1 of 2 kinds of media \(disk\); 0 of 1 copies in another place; 0 of 1 immutable copies/,
      ),
    ]);
    const bucket = '  s3: { kind: s3, bucket: b, region: eu-central-1, immutable: { mode: governance, for: 30d } }\n';
    const whole = ruled.replace('components:', `${bucket}components:`).replace('stores: [nas]', 'stores: [nas, s3]');
    expect(problemsOf(whole)).toEqual([]);
  });

  const SFTP = `kind: sftp, host: h, hostKey: 'SHA256:${'A'.repeat(43)}'`;
  it.each<readonly [string, string, string, string]>([
    ['path', 'kind: directory, path: /a', 'kind: directory, path: /a/', 'kind: directory, path: /a/b'],
    ['path', `${SFTP}, user: one, path: /a`, `${SFTP}, user: two, port: 22, path: /a/`, `${SFTP}, user: one, path: /b`],
    ...['kind: s3, bucket: b', 'kind: gcs, bucket: b', 'kind: azure, account: a, container: b'].map(
      (bucket) => ['prefix', bucket, `${bucket}, storageClass: C, prefix: small/`, `${bucket}, prefix: cold`] as const,
    ),
  ])(
    'two stores in one place need another %s: what the one prunes the other has lost (%s)',
    (what, one, same, apart) => {
      const stores = (more: string): string =>
        SMALL.replace('  nas: { kind: directory, path: /mnt/nas }', `  nas: { ${one} }\n  more: { ${more} }`);
      expect(problemsOf(stores(same))).toEqual([
        expect.stringContaining(`\`nas\` lies there already: give each store a ${what} of its own`),
      ]);
      expect(problemsOf(stores(apart))).toEqual([]);
    },
  );

  it('a host where none is declared: refused', () => {
    expect(problemsOf(SMALL.replace('volume: data }', 'volume: data, host: other }')).join()).toContain(
      'no host `other`',
    );
  });

  it('a secret where a reference is wanted: refused with its place and without its value', () => {
    const secret = 'hunter2-very-secret';
    const identity = `AGE-SECRET-KEY-1${'Q'.repeat(58)}`;
    const text = SMALL.replace('{ env: CHUNK_ID_KEY }', secret)
      .replace(`age1${'q'.repeat(58)}`, identity)
      .replace('/mnt/nas', identity);
    const found = problemsOf(text).join('\n');
    expect(found).toContain('`keys.chunkIdKey` holds a value where a reference is wanted');
    expect(found).toContain('`stores.nas.path`');
    expect(found).not.toContain(secret);
    expect(found).not.toContain('AGE-SECRET-KEY');
  });

  it('broken YAML on a line with a secret: the line is told, not its text', () => {
    const found = problemsOf(`${SMALL}signer: "hunter2`);
    expect(found.length).toBeGreaterThan(0);
    expect(found.join('\n')).not.toContain('hunter2');
  });

  it('two equal recipients, no keys, a key written twice: refused', () => {
    expect(problemsOf(SMALL.replace('p'.repeat(58), 'q'.repeat(58))).join()).toContain('must be two keys');
    expect(problemsOf(SMALL.replace(KEY_SECTION, '')).join()).toContain('run `holdfast init');
    expect(problemsOf(`${SMALL}site: a\nsite: b\n`).join()).toContain('twice');
    expect(problemsOf(`${SMALL}site: */5\n`).join()).toContain('quotes');
  });

  it('any text at all: a system or a BadSystemFile, nothing else', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc.string().map((text) => SMALL + text),
        ),
        (text) => {
          problemsOf(text);
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe('the JSON Schema', () => {
  it('every object closes itself, and everything a person writes is described', () => {
    const missing: string[] = [];
    const keyLists = new Set<string>();
    const visit = (value: unknown, trail: string): void => {
      if (typeof value !== 'object' || value === null) return;
      const node = value as { properties?: Record<string, { description?: string; const?: unknown }> };
      if (node.properties !== undefined) {
        expect((value as { additionalProperties?: unknown }).additionalProperties).toBe(false);
        keyLists.add(Object.keys(node.properties).toSorted().join());
        for (const [key, inner] of Object.entries(node.properties)) {
          const told = inner.description !== undefined || inner.const !== undefined;
          if (!told && !/\.(env|file|mode)$/.test(`${trail}.${key}`)) missing.push(`${trail}.${key}`);
        }
      }
      for (const [key, inner] of Object.entries(value)) visit(inner, `${trail}.${key}`);
    };
    const { $schema, title, ...schema } = systemJsonSchema();
    expect($schema).toContain('json-schema.org');
    expect(title).toBe('Holdfast system file');
    visit(schema, '');
    expect(missing).toEqual([]);
    // What messages call known is what the schema knows.
    for (const keys of Object.values(KEYS)) expect([...keyLists]).toContain([...keys].toSorted().join());
  });
});

describe('durations', () => {
  it('shorthand and ISO 8601: seconds; anything else: nothing', () => {
    expect(['90s', '15m', '48h', '30d', '12w', '1h30m', 'PT15M', 'P30D', 'P1DT12H'].map(parseDurationSeconds)).toEqual([
      90, 900, 172_800, 2_592_000, 7_257_600, 5400, 900, 2_592_000, 129_600,
    ]);
    for (const bad of ['', '5', 'd', '-5m', '1.5h', 'P', 'PT', 'P1M', '5 m', 'PT1D']) {
      expect(parseDurationSeconds(bad)).toBeUndefined();
    }
  });
});

describe('which host this machine is', () => {
  it('named, the only one, or undecided: taken, taken, refused with the choice', () => {
    const two = { name: 's', hosts: ['one-a', 'one-b'] };
    expect(localHost(two, { HOLDFAST_HOST: 'one-b' })).toBe('one-b');
    expect(localHost({ name: 's', hosts: ['only'] }, {})).toBe('only');
    expect(() => localHost(two, { HOLDFAST_HOST: 'one-c' })).toThrow(/no host of s/);
    expect(() => localHost(two, {})).toThrow(/which host of s/);
  });
});

describe('the register of systems', () => {
  let home: string;
  beforeAll(async () => {
    home = await mkdtemp(path.join(tmpdir(), 'holdfast-register-'));
    process.env['HOLDFAST_HOME'] = path.join(home, 'state');
  });
  afterAll(async () => {
    delete process.env['HOLDFAST_HOME'];
    await rm(home, { recursive: true, force: true });
  });

  it('a file is registered twice, then described by name: one entry; a wrong name: the nearest is offered', async () => {
    const { writeFile } = await import('node:fs/promises');
    const file = path.join(home, 'small.yaml');
    await writeFile(file, SMALL);
    await expect(loadSystem('small')).rejects.toThrow(/no system is registered/);
    await registerSystem(file);
    await registerSystem(file);
    expect(await listSystems()).toEqual([{ name: 'small', path: file }]);
    expect((await loadSystem('small')).name).toBe('small');
    await expect(loadSystem('smal')).rejects.toMatchObject({ code: 'UnknownSystem', hint: 'Did you mean small?' });
  });

  it('the file is gone: the error names it', async () => {
    await rm(path.join(home, 'small.yaml'));
    await expect(loadSystem('small')).rejects.toMatchObject({
      code: 'BadSystemFile',
      message: expect.stringMatching(/small\.yaml.*ENOENT/) as string,
    });
  });
});
