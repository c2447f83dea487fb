/** A template's text without its common indentation and its first and last line. */
export function tagged(strings: TemplateStringsArray, ...values: readonly string[]): string {
  const text = strings.reduce((all, part, index) => `${all}${part}${values[index] ?? ''}`, '');
  const lines = text.split('\n').slice(1, -1);
  const indents = lines.filter((line) => line.trim() !== '').map((line) => line.length - line.trimStart().length);
  const least = Math.min(...indents);
  return `${lines.map((line) => line.slice(least)).join('\n')}\n`;
}
