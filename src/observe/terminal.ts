/** Colours and tables. Colours only on a terminal, unless FORCE_COLOR; never with NO_COLOR (no-color.org). */
import Table from 'cli-table3';
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

/** A table without borders: what a person can read and a `grep` can find. Empty rows give the header alone. */
export function table(head: readonly string[], rows: readonly (readonly string[])[], colours: Colours): string {
  const made = new Table({
    head: head.map((text) => colours.bold(text)),
    chars: NO_BORDERS,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 2 },
  });
  made.push(...rows.map((row) => [...row]));
  return made
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

const NO_BORDERS = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '',
};
