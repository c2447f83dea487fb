/**
 * What runs Holdfast elsewhere: units, image and Compose file, checked by what can be had of their own programs. `npm run
 * cluster` runs them.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { VERSIONS } from '../../scripts/setup/versions.ts';
import { importsOf } from '../house/imports.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const read = (file: string): string => readFileSync(path.join(ROOT, file), 'utf8');

describe('systemd units', () => {
  const units = readdirSync(path.join(ROOT, 'deploy/systemd'));

  test('systemd-analyze finds nothing to say of them', () => {
    const directory = mkdtempSync(path.join(tmpdir(), 'holdfast-units-'));
    try {
      // Here it lies elsewhere than where it is installed.
      for (const unit of units) {
        const text = read(`deploy/systemd/${unit}`).replaceAll('/opt/holdfast', ROOT);
        writeFileSync(path.join(directory, unit), text);
      }
      const { stdout, stderr, status } = spawnSync(
        'systemd-analyze',
        ['verify', '--man=no', '--recursive-errors=no', ...units.map((unit) => path.join(directory, unit))],
        { encoding: 'utf8' },
      );
      const own = `${stdout}${stderr}`.split('\n').filter((line) => line.includes('holdfast'));
      expect({ own, status }).toEqual({ own: [], status: 0 });
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });

  test('a stop waits longer than the workers need, and what they had under way is theirs to end', () => {
    const unit = read('deploy/systemd/holdfast.service');
    expect(unit).toMatch(/^KillMode=mixed$/m);
    expect(Number(/^TimeoutStopSec=(\d+)$/m.exec(unit)?.[1])).toBeGreaterThan(60);
  });
});

describe('the image', () => {
  const lines = read('deploy/Dockerfile').replaceAll('\\\n', ' ').split('\n');
  const of = (word: string): string[] =>
    lines.filter((line) => line.startsWith(`${word} `)).map((line) => line.slice(word.length + 1));

  test('the Node of package.json, and only files that are there and that the ignore file lets in', () => {
    const { dependencies } = JSON.parse(read('package.json')) as { dependencies: Record<string, string> };
    expect(of('FROM')).toEqual([`node:${dependencies['node'] ?? ''}-bookworm-slim`]);
    const sources = of('COPY').flatMap((line) => line.split(' ').slice(0, -1));
    const let_in = read('deploy/Dockerfile.dockerignore')
      .split('\n')
      .flatMap((line) => (line.startsWith('!') ? [line.slice(1)] : []));
    expect(sources.toSorted()).toEqual(let_in.toSorted());
    for (const source of sources) expect(existsSync(path.join(ROOT, source)), source).toBe(true);
  });

  test('whatever is imported comes with what is installed without the tools of development', () => {
    const { dependencies } = JSON.parse(read('package.json')) as { dependencies: Record<string, string> };
    const files = execFileSync('git', ['ls-files', 'src'], { cwd: ROOT, encoding: 'utf8' }).trim().split('\n');
    const imported = files
      .filter((file) => file.endsWith('.ts'))
      .flatMap((file) => importsOf(file, read(file)))
      .filter(({ typeOnly, target }) => !typeOnly && !target.startsWith('node:') && !target.startsWith('src/'))
      .map(({ target }) =>
        target
          .split('/')
          .slice(0, target.startsWith('@') ? 2 : 1)
          .join('/'),
      );
    const missing = [...new Set(imported)].filter((name) => dependencies[name] === undefined);
    expect(missing).toEqual([]);
  });
});

interface Service {
  readonly image: string;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly healthcheck?: object;
  readonly environment?: Readonly<Record<string, string>>;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly command?: readonly string[];
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

describe('temporal-docker-compose.yml', () => {
  // Merge keys are YAML 1.1, which Compose reads.
  const { services, volumes } = parse(read('temporal-docker-compose.yml'), { merge: true }) as Compose;
  const all = Object.entries(services);

  test('no default password, nothing reachable from outside, every image pinned', () => {
    const text = read('temporal-docker-compose.yml');
    expect(text).toContain('${TEMPORAL_POSTGRES_PASSWORD:?');
    for (const [name, { image, ports = [], environment = {} }] of all) {
      expect(image, name).toMatch(/^[\w./-]+:\d+(\.\d+)+$/);
      for (const port of ports) expect(port, name).toMatch(/^127\.0\.0\.1:/);
      for (const [key, value] of Object.entries(environment)) {
        if (/PASSWORD|PWD/.test(key)) expect(value, `${name} ${key}`).toMatch(/^\$\{TEMPORAL_POSTGRES_PASSWORD/);
      }
    }
  });

  test('who waits for a healthy service waits for one that can say so; every volume is declared', () => {
    for (const [name, { depends_on = {}, volumes: mounts = [] }] of all) {
      for (const [other, { condition }] of Object.entries(depends_on)) {
        expect(services[other], `${name} needs ${other}`).toBeDefined();
        if (condition === 'service_healthy') expect(services[other]?.healthcheck, other).toBeDefined();
      }
      for (const mount of mounts) expect(Object.keys(volumes), name).toContain(mount.split(':')[0]);
    }
  });

  test('the suite that runs it builds the release of the server that it names', () => {
    expect(services['temporal']?.image).toBe(`temporalio/server:${VERSIONS.temporalServer}`);
    expect(services['schema']?.image).toBe(`temporalio/admin-tools:${VERSIONS.temporalServer}`);
    const modules = read('scripts/setup/go/temporal-server/go.mod');
    expect(modules).toContain(`go.temporal.io/server v${VERSIONS.temporalServer}`);
    expect(services['postgresql']?.image).toBe(`postgres:${VERSIONS.clusterPackages.split('-')[0] ?? ''}`);
  });

  test('its scripts are scripts', () => {
    for (const [name, { command }] of all) {
      const script = command?.[0]?.replaceAll('$$', '$');
      if (script === undefined) continue;
      const { stderr, status } = spawnSync('sh', ['-n'], { input: script, encoding: 'utf8' });
      expect({ name, stderr, status }).toEqual({ name, stderr: '', status: 0 });
    }
  });
});
