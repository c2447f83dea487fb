/** How the checks of a system file tell what they found. Pure. */
import { nearest, type ProblemPath } from './problems.ts';

/** `atKey`: the key at the end of the path is meant, not its value. */
export type Report = (path: ProblemPath, message: string, atKey?: boolean) => void;

export function reportUnknown(
  path: ProblemPath,
  what: string,
  name: string,
  known: readonly string[],
  report: Report,
): void {
  if (!known.includes(name)) report(path, unknownName(what, name, known));
}

/** Words a name that is not there, with the nearest one that is. */
export function unknownName(what: string, name: string, known: readonly string[]): string {
  if (known.length === 0) return `there is no ${what} \`${name}\`: the file has none, add it`;
  const guess = nearest(name, known);
  const instead = guess === undefined ? `write one of: ${known.join(', ')}` : `did you mean \`${guess}\`?`;
  return `there is no ${what} \`${name}\`; ${instead}`;
}
