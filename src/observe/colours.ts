/** Colours only on a terminal, unless FORCE_COLOR; never with NO_COLOR (no-color.org). */
import pico from 'picocolors';

export type Colours = ReturnType<typeof pico.createColors>;

/** NO_COLOR set to anything but nothing wins over FORCE_COLOR; `TERM=dumb` has no colours. */
export function wantsColour(
  stream: { isTTY?: boolean | undefined },
  environment: NodeJS.ProcessEnv = process.env,
): boolean {
  const { NO_COLOR: none, FORCE_COLOR: force, TERM: term } = environment;
  if (none !== undefined && none !== '') return false;
  if (force !== undefined) return force !== '0' && force !== 'false';
  return stream.isTTY === true && term !== 'dumb';
}

export function coloursFor(stream: { isTTY?: boolean | undefined }): Colours {
  return pico.createColors(wantsColour(stream));
}
