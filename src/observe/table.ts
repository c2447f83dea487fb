/** Tables for the terminal. */
import Table from 'cli-table3';
import type { Colours } from './colours.ts';

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
