import { describe, expect, it } from 'vitest';
import { importsOf, roomOf, violation } from './imports.ts';
import { readText, trackedFiles } from './tree.ts';

const importOf = (from: string, target: string, typeOnly = false) => ({ from, target, typeOnly });

describe('imports point one way', () => {
  it('the whole of src: no import against the rule', () => {
    const files = trackedFiles().filter((file) => /^src\/.*\.ts$/.test(file));
    expect(files.length).toBeGreaterThan(5);
    const violations = files.flatMap((file) => importsOf(file, readText(file))).map(violation);
    expect(violations.filter((found) => found !== undefined)).toEqual([]);
  });

  it('a store that uses the vault: named', () => {
    expect(violation(importOf('src/stores/s3.ts', 'src/vault/chunks.ts'))).toMatch(/stores may not use vault/);
  });

  it('a source that uses code of the vault: named, also when it is only types of another room', () => {
    expect(violation(importOf('src/sources/volume.ts', 'src/vault/chunks.ts'))).toMatch(/sources may not use vault/);
    expect(violation(importOf('src/stores/s3.ts', 'src/workflows/contract.ts', true))).toMatch(/may not use/);
  });

  it('a decision that reads a file, a workflow that runs activity code: named', () => {
    expect(violation(importOf('src/policy/retention.ts', 'node:fs'))).toMatch(/can do I\/O/);
    expect(violation(importOf('src/workflows/backup.ts', 'src/activities/host.ts'))).toMatch(/more than types/);
    expect(violation(importOf('src/workflows/backup.ts', 'src/activities/types.ts', true))).toBeUndefined();
  });

  it('a room nobody knows, and an import from the tests: named', () => {
    expect(violation(importOf('src/misc/helpers.ts', 'src/part.ts'))).toMatch(/not in the import rule/);
    expect(violation(importOf('src/vault/chunks.ts', 'test/support/store.ts'))).toMatch(/outside src/);
  });

  it('imports of several lines, re-exports and dynamic ones: all found', () => {
    const text =
      "import {\n  a,\n  b,\n} from './a.ts';\nexport * from '../b.ts';\nimport type { C } from './c.ts';\nawait import('./d.ts');";
    expect(importsOf('src/vault/x.ts', text)).toEqual([
      importOf('src/vault/x.ts', 'src/vault/a.ts'),
      importOf('src/vault/x.ts', 'src/b.ts'),
      importOf('src/vault/x.ts', 'src/vault/c.ts', true),
      importOf('src/vault/x.ts', 'src/vault/d.ts'),
    ]);
    expect(roomOf('src/cli.ts')).toBe('cli');
    expect(roomOf('src/cli/backup.ts')).toBe('cli');
  });
});
