/** A link in a restored tree must not lead an isolated container to something of the host. */
import { realpath } from 'node:fs/promises';
import path from 'node:path';
import { isHarmless, type IsolatedContainer } from '../../policy/drill-isolation.ts';
import { errorCode, isMissing } from '../../sources/io-errors.ts';

/**
 * Why these containers must not be started; empty: every bind mount lies below `root`, links followed. Holds for the
 * moment only: what a container can write to, it can make a link of.
 */
export async function linksOut(
  root: string,
  containers: readonly Pick<IsolatedContainer, 'service' | 'mounts'>[],
): Promise<string[]> {
  const top = await realpath(root);
  const out: string[] = [];
  for (const { service, mounts } of containers) {
    for (const mount of mounts) {
      const { type, source } = mount;
      if (type !== 'bind' || isHarmless(mount)) continue;
      try {
        const real = await realpath(source);
        if (!real.startsWith(`${top}${path.sep}`)) out.push(`${service}: ${source} leads out of the copy`);
      } catch (error) {
        if (!isMissing(error) && errorCode(error) !== 'ELOOP') throw error;
        out.push(`${service} mounts ${path.relative(root, source)}, which the backup does not hold`);
      }
    }
  }
  return out;
}
