/** A state directory of its own for one test file. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** Points this process at an empty state directory and at no named server; disposing removes it. */
export function temporaryHome(): Disposable & { readonly path: string } {
  const home = mkdtempSync(path.join(tmpdir(), 'holdfast-home-'));
  for (const name of Object.keys(process.env).filter((key) => key.startsWith('TEMPORAL_'))) {
    Reflect.deleteProperty(process.env, name);
  }
  process.env['HOLDFAST_HOME'] = home;
  process.env['XDG_CONFIG_HOME'] = home;
  return { path: home, [Symbol.dispose]: () => rmSync(home, { recursive: true, force: true }) };
}
