/** Lists in flat inputs. */

/** The names in a comma-separated field; none given is none. */
export function listOf(text: string | undefined): string[] {
  return (text ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}
