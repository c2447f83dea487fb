/** The few forms a runbook is written in. */

/** A block that runs as it stands, in the shell of the machine where it says so. */
export function commands(...lines: readonly string[]): string {
  return ['```sh', ...lines, '```'].join('\n');
}

/** A block with something to fill in, or for somebody else's machine: nothing runs it unread. */
export function pattern(...lines: readonly string[]): string {
  return ['```text', ...lines, '```'].join('\n');
}

export function listed(items: readonly string[]): string {
  return items.map((item) => `- ${item}`).join('\n');
}

export function steps(items: readonly string[]): string {
  return items.map((item, index) => `${index + 1}. ${item}`).join('\n');
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(cell).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}

export function paragraphs(...parts: readonly (string | undefined)[]): string {
  return parts.filter((part) => part !== undefined && part !== '').join('\n\n');
}
