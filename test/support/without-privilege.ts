/** Runs a script as the kernel treats an ordinary user: root without its capabilities is refused like anybody. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const LIMIT_MS = 120_000;
/** setpriv(1) of util-linux. Bounded as well, so that no program started by the script gets them back. */
const NO_CAPABILITIES = ['--inh-caps=-all', '--bounding-set=-all'];

/** What the script printed, as JSON. */
export async function runWithoutPrivilege(script: string, ...args: string[]): Promise<unknown> {
  const node = [process.execPath, script, ...args];
  const [program = '', ...rest] = process.getuid?.() === 0 ? ['setpriv', ...NO_CAPABILITIES, ...node] : node;
  const { stdout } = await promisify(execFile)(program, rest, { timeout: LIMIT_MS });
  return JSON.parse(stdout);
}
