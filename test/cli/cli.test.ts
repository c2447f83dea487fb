import { access, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createProgram } from '../../src/cli/program.ts';
import { generateSshKeyPair } from '../../src/seal/index.ts';
import { kitStore, parseStore, storeAddress } from '../../src/cli/store-address.ts';
import { quoted } from '../../src/observe/shell-word.ts';
import { holdfast, holdfastJson } from './holdfast.ts';

let directory: string;
let home: string;
beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'holdfast-cli-'));
  home = path.join(directory, 'home');
});
afterAll(() => rm(directory, { recursive: true, force: true }));

interface Refusal {
  readonly ok: false;
  readonly error: { readonly code: string; readonly message: string; readonly hint: string };
}

describe('help', () => {
  it('every command: a summary, a description, an example that begins with its name, and --json', () => {
    const commands = createProgram().commands.flatMap((command) => {
      const parts = command.commands.map((part) => ({ command: part, name: `${command.name()} ${part.name()}` }));
      return parts.length > 0 ? parts : [{ command, name: command.name() }];
    });
    expect(commands.length).toBeGreaterThanOrEqual(20);
    for (const { command, name } of commands) {
      let help = '';
      command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
      expect(command.summary()).not.toBe('');
      expect(command.description().length).toBeGreaterThan(40);
      expect(help).toMatch(new RegExp(`\\$ holdfast ${name}\\b`));
      expect(help).toContain('--json');
    }
  });

  it('asked for: on stdout with exit 0; no command at all: on stderr with exit 2', async () => {
    const asked = await holdfast(home, ['backup', '--help']);
    expect(asked).toMatchObject({ code: 0, stderr: '' });
    expect(asked.stdout).toContain('Exit codes: 0 done, 1 the answer is no, 2 it could not be told');
    const none = await holdfast(home, []);
    expect(none).toMatchObject({ code: 2, stdout: '' });
    expect(none.stderr).toContain('First steps:');
  });
});

describe('mistakes', () => {
  it('a misspelt command: exit 2 and the nearest one', async () => {
    const ended = await holdfast(home, ['lits', 'x']);
    expect(ended.code).toBe(2);
    expect(ended.stderr).toContain('Did you mean list?');
  });

  it('an unknown option with --json: one JSON document all the same', async () => {
    const ended = await holdfast(home, ['backup', 'a', 'b', '--tga', 'x', '--json']);
    expect(ended.code).toBe(2);
    expect((JSON.parse(ended.stdout) as Refusal).error.code).toBe('BadInput');
  });

  it('no engine: exit 2, what happened, what to try, and no stack', async () => {
    const ended = await holdfast(home, ['backup', 'some', 'daily']);
    expect(ended.code).toBe(2);
    expect(ended.stderr).toContain('[EngineUnreachable]');
    expect(ended.stderr).toContain('holdfast up');
    expect(ended.stderr).not.toMatch(/\n\s+at /);
    const debug = await holdfast(home, ['backup', 'some', 'daily'], { HOLDFAST_DEBUG: '1' });
    expect(debug.stderr).toMatch(/\n\s+at /);
  });

  it('options that contradict each other, a bad time, a bad duration: refused before anything starts', async () => {
    const { restoreInput } = await import('../../src/cli/run-restore.ts');
    const { durationOption } = await import('../../src/cli/names.ts');
    await expect(restoreInput('s', undefined, { dryRun: true, verifyOnly: true })).rejects.toThrow(/exclude/);
    await expect(restoreInput('s', 'b', { before: '2026-01-01T00:00:00Z' })).rejects.toThrow(/not both/);
    await expect(restoreInput('s', undefined, { before: 'yesterday' })).rejects.toThrow(/no time/);
    await expect(restoreInput('s', undefined, { path: ['x'] })).rejects.toThrow(/exactly one --component/);
    expect(() => durationOption('--wait', 'long')).toThrow(/no duration/);
  });

  it('all options of a restore: the small flat input of the workflow', async () => {
    const { restoreInput } = await import('../../src/cli/run-restore.ts');
    const options = {
      component: ['config'],
      path: ['.env', 'a/b'],
      target: '/tmp/look',
      store: 'nas',
      approve: 'abc',
      by: 'ana',
      before: '2026-01-01T01:00:00+01:00',
    };
    expect(await restoreInput('s', undefined, options)).toEqual({
      system: 's',
      backup: 'before:2026-01-01T00:00:00.000Z',
      components: 'config',
      paths: '.env,a/b',
      target: '/tmp/look',
      store: 'nas',
      approve: 'abc',
      approvedBy: 'ana',
    });
  });

  it('words for a shell: quoted so that they arrive as they are', () => {
    expect(quoted('m2m/backup/daily')).toBe('m2m/backup/daily');
    expect(quoted(`it's {"a":1}`)).toBe(`'it'\\''s {"a":1}'`);
  });
});

describe('a store named for break glass', () => {
  it('a directory and S3 addresses: understood; credentials in the address: refused without repeating them', () => {
    expect(parseStore('/mnt/nas')).toEqual({ kind: 'directory', path: '/mnt/nas' });
    expect(parseStore('s3://bucket/a/b?endpoint=https://s3.example.net&region=eu')).toEqual({
      kind: 's3',
      bucket: 'bucket',
      prefix: 'a/b',
      region: 'eu',
      endpoint: 'https://s3.example.net',
      pathStyle: true,
    });
    expect(() => parseStore('s3://key:hunter2@bucket/a')).toThrow(/^(?!.*hunter2).*no credentials/);
  });

  it('Google, Azure and SFTP addresses: understood, as the kit names them, and opened under the name of the system', () => {
    const hostKey = `SHA256:${'Ab+/'.repeat(10)}xyz`;
    const stores = [
      parseStore('gs://bucket/a/b'),
      parseStore('azure://account/container?endpoint=http://127.0.0.1:1/account'),
      parseStore(`sftp://back%40up@[::1]:2022/srv/my%20vault?hostKey=${hostKey}`),
    ];
    expect(stores).toEqual([
      { kind: 'gcs', bucket: 'bucket', prefix: 'a/b' },
      { kind: 'azure', account: 'account', container: 'container', prefix: '', endpoint: 'http://127.0.0.1:1/account' },
      { kind: 'sftp', host: '::1', port: 2022, user: 'back@up', path: '/srv/my vault', hostKey },
    ]);
    for (const store of stores) {
      const address = storeAddress('recovery', 'shop', store);
      const around = { place: '', medium: '', maintainedBy: '', verifyEverySeconds: 1 };
      const whole = store.kind === 'azure' ? { ...store, prefix: 'shop' } : store;
      expect(kitStore({ ...address, ...around })).toEqual(whole);
    }
  });

  it.each([
    'gs:///a',
    'azure://account',
    'sftp://host/path?hostKey=SHA256:abc',
    'sftp://user@host/path',
    'ftp://host/path',
    'sftp://user:hunter2@host/path?hostKey=SHA256:abc',
  ])('the address %s: refused with how to write it, and no password is repeated', (place) => {
    let cause: unknown;
    try {
      parseStore(place);
    } catch (error) {
      cause = error;
    }
    expect(cause).toMatchObject({ code: 'BadInput' });
    expect(String(cause)).not.toContain('hunter2');
  });
});

describe('init, doctor, list, status without an engine', () => {
  const at = (...names: string[]): string => path.join(directory, ...names);

  async function systemFile(name: string, extra = ''): Promise<string> {
    const file = at(`${name}.yaml`);
    const text = [
      `system: ${name}`,
      `stores: { vault: { kind: directory, path: ${at(`vault-${name}`)} } }`,
      `components: { data: { kind: files, path: ${at('data')} } }`,
      `plans: { daily: { components: [data], stores: [vault], rpo: 1d } }`,
      extra,
    ];
    await writeFile(file, text.join('\n'), { mode: 0o640 });
    return file;
  }

  it('a model file is asked for: written once, never over another', async () => {
    const file = at('model.yaml');
    expect((await holdfast(home, ['init', '--example', file])).code).toBe(0);
    await writeFile(file, 'mine');
    const again = await holdfast(home, ['init', '--example', file]);
    expect(again.code).toBe(1);
    expect(again.stderr).toContain('never overwritten');
    expect(await readFile(file, 'utf8')).toBe('mine');
  });

  it('init: keys for their owner only, the section in the file, the kit once; again: nothing changes', async () => {
    await mkdir(at('data'), { recursive: true });
    const file = await systemFile('first');
    const kit = at('kit.txt');
    const made = await holdfast(home, ['init', file, '--kit', kit]);
    expect(made).toMatchObject({ code: 0, stderr: '' });
    expect(made.stdout).not.toContain('AGE-SECRET-KEY');
    expect((await stat(kit)).mode & 0o777).toBe(0o600);
    expect((await stat(file)).mode & 0o777).toBe(0o640);
    const text = await readFile(file, 'utf8');
    expect(text).toMatch(/^keys:$/m);
    expect(text).not.toMatch(/SECRET|PRIVATE/);
    for (const name of ['signer', 'identity', 'chunk-id.key']) {
      expect((await stat(path.join(home, 'keys', 'first', name))).mode & 0o777).toBe(0o600);
    }
    await expect(access(path.join(home, 'keys', 'first', 'init.json'))).rejects.toThrow('ENOENT');
    const kitText = await readFile(kit, 'utf8');
    const again = await holdfastJson<{ vaults: { created: boolean }[] }>(home, ['init', file]);
    expect(again.vaults.map(({ created }) => created)).toEqual([false]);
    expect(await readFile(file, 'utf8')).toBe(text);
    expect(await readFile(kit, 'utf8')).toBe(kitText);
  });

  it('init was interrupted before the file was written: the next one goes on with the same keys', async () => {
    const file = await systemFile('second', 'site: [broken');
    expect((await holdfast(home, ['init', file])).code).toBe(2);
    const good = await systemFile('second');
    // A vault can't be made where a file is in the way, so this init stops after making the keys.
    await writeFile(at('vault-second'), '');
    expect((await holdfast(home, ['init', good])).code).not.toBe(0);
    const pending = JSON.parse(await readFile(path.join(home, 'keys', 'second', 'init.json'), 'utf8')) as {
      root: { fingerprint: string };
    };
    await rm(at('vault-second'));
    const made = await holdfast(home, ['init', good]);
    expect(made.code).toBe(0);
    expect(made.stdout).toContain('BEGIN HOLDFAST RECOVERY KIT');
    expect(await readFile(good, 'utf8')).toContain(pending.root.fingerprint);
  });

  it('a store is added later: init makes the same vault there, and needs neither kit nor root key', async () => {
    const file = at('first.yaml');
    const text = (await readFile(file, 'utf8')).replace(
      'stores: {',
      `stores: { more: { kind: directory, path: ${at('more')} },`,
    );
    await writeFile(file, text);
    interface Made {
      readonly vaults: { store: string; created: boolean; vaultId: string }[];
    }
    const made = await holdfastJson<Made>(home, ['init', file]);
    expect(made.vaults.map(({ store, created }) => [store, created])).toEqual([
      ['more', true],
      ['vault', false],
    ]);
    expect(new Set(made.vaults.map(({ vaultId }) => vaultId)).size).toBe(1);
    const again = await holdfastJson<Made>(home, ['init', file, '--kit', at('kit.txt')]);
    expect(again.vaults.map(({ created }) => created)).toEqual([false, false]);
  });

  it('a keeper of its own: admitted by init with the kit, once; the signer as its own keeper: refused', async () => {
    const file = at('first.yaml');
    const text = await readFile(file, 'utf8');
    await writeFile(at('keeper'), generateSshKeyPair('keeper').privateKey, { mode: 0o600 });
    const withKeeper = (key: string): string => text.replace('keys:', `keys:\n  keeper: { file: ${key} }`);
    interface Notes {
      readonly notes: readonly string[];
    }
    const init = () => holdfastJson<Notes>(home, ['init', file, '--kit', at('kit.txt')]);
    await writeFile(file, withKeeper(at('keeper')));
    expect((await init()).notes).toEqual([expect.stringMatching(/^keeper SHA256:\S+ admitted in more, vault$/)]);
    expect((await init()).notes).toEqual([]);
    await writeFile(file, withKeeper(at('nowhere')));
    expect((await init()).notes).toEqual([expect.stringContaining('not on this host')]);
    await writeFile(file, withKeeper(path.join(home, 'keys', 'first', 'signer')));
    const same = await holdfast(home, ['init', file, '--kit', at('kit.txt')]);
    expect(same).toMatchObject({ code: 2, stderr: expect.stringContaining('one key has one role') as string });
    await writeFile(file, text);
  });

  it('doctor: all is well but the engine; a key is gone and the data too: both are told, with exit 1', async () => {
    const well = await holdfastJson<{ ok: boolean; findings: { state: string; what: string }[] }>(home, [
      'doctor',
      'first',
    ]);
    expect(well.findings.filter(({ state }) => state !== 'ok').map(({ what }) => what)).toEqual([
      'engine',
      'schedules',
    ]);
    await rm(path.join(home, 'keys', 'first', 'signer'));
    await rm(at('data'), { recursive: true });
    const ill = await holdfast(home, ['doctor', 'first']);
    expect(ill.code).toBe(1);
    expect(ill.stdout).toMatch(/fail +secret keys\.signer +.*does not exist/);
    expect(ill.stdout).toMatch(/fail +component data +.*does not exist/);
    expect(ill.stdout).toContain('What to do:');
  });

  it('doctor of a time that a clock change leaves out, and of stores that nothing prunes: warnings, not failures', async () => {
    const file = at('first.yaml');
    const text = (await readFile(file, 'utf8')).replace(
      'stores: [vault]',
      'stores: [vault], schedule: { cron: 30 2 * * *, timeZone: Europe/Berlin }',
    );
    const early = at('early.yaml');
    await writeFile(early, text);
    // The test before has taken its key and its data away.
    const { findings } = await holdfastJson<{ findings: { state: string; what: string; detail: string }[] }>(
      home,
      ['doctor', early],
      1,
    );
    const told = findings.filter(({ what }) => what === 'schedules');
    expect(told.map(({ state }) => state)).toEqual(['warn', 'warn']);
    expect(told[0]?.detail).toMatch(/^backup\/daily is left out on 20\d\d-03-\d\d, when 02:30 does not exist/);
    expect(told[1]?.detail).toBe('nothing prunes more, vault by itself');
  });

  it("doctor where the C library can't be called: a warning that names what backups and restores then lack", async () => {
    const { systemCallsFinding } = await import('../../src/cli/examine-machine.ts');
    const ill = systemCallsFinding('no binary for this processor');
    expect(ill).toMatchObject({ state: 'warn', what: 'system calls' });
    expect(ill.detail).toMatch(/no binary for this processor.*extended attributes, ACLs.*device nodes/);
    expect(ill.doThis).toContain('npm run setup');
    const asked = await holdfast(home, ['doctor', '--json']);
    const { findings } = JSON.parse(asked.stdout) as { findings: { what: string; state: string }[] };
    expect(findings.find(({ what }) => what === 'system calls')?.state).toBe('ok');
  });

  it('doctor of a bad file: every line of it is a finding, with its place', async () => {
    const file = at('bad.yaml');
    await writeFile(file, 'system: BAD\nplanz: {}\n');
    const { findings } = await holdfastJson<{ findings: { state: string; detail: string }[] }>(
      home,
      ['doctor', file],
      1,
    );
    const told = findings.filter(({ state }) => state === 'fail').map(({ detail }) => detail);
    expect(told.join('\n')).toContain(`${file}:2:1: \`planz\` is not known; did you mean \`plans\`?`);
    expect(told.length).toBeGreaterThanOrEqual(4);
  });

  it('no backup yet: list is empty with exit 0, status says what is missing with exit 1, show with exit 1', async () => {
    expect(await holdfastJson(home, ['list', 'first'])).toMatchObject({ system: 'first', backups: [] });
    const status = await holdfastJson<{ engine: { running: boolean }; systems: { plans: unknown[] }[] }>(
      home,
      ['status', 'first'],
      1,
    );
    expect(status.engine.running).toBe(false);
    expect(status.systems[0]?.plans[0]).toMatchObject({ plan: 'daily', state: 'missing' });
    expect((await holdfastJson<Refusal>(home, ['show', 'first', 'latest'], 1)).error.code).toBe('BackupMissing');
  });

  it('a store is gone: list and status can not tell, with exit 2', async () => {
    await rm(at('vault-first'), { recursive: true });
    await rm(at('more'), { recursive: true });
    expect((await holdfastJson<Refusal>(home, ['list', 'first'], 2)).error.code).toBe('StoreNotMounted');
    expect((await holdfast(home, ['status', 'first'])).code).toBe(2);
  });

  it('a system that is not known: the nearest is offered', async () => {
    const refused = await holdfastJson<Refusal>(home, ['list', 'frist'], 2);
    expect(refused.error).toMatchObject({ code: 'UnknownSystem', hint: 'Did you mean first?' });
  });

  it('a plan that is not there: refused before anything starts, with the nearest', async () => {
    const { error } = await holdfastJson<Refusal>(home, ['backup', 'first', 'dialy'], 2);
    expect(error).toMatchObject({ code: 'BadInput', hint: 'Did you mean daily?' });
  });

  it('the schema: JSON for editors on stdout', async () => {
    const schema = await holdfastJson<{ properties: Record<string, unknown> }>(home, ['schema']);
    expect(Object.keys(schema.properties)).toContain('components');
  });
});
