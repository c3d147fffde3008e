// SPDX-License-Identifier: Apache-2.0
// names.js - what people are called: in URLs, beside faces, in sentences, by their tokens.

/** One or two letters for a face, in whatever script. */
export const initials = (name) => name.split(/[\s._-]+/).filter(Boolean).slice(0, 2).map((w) => [...w][0].toLocaleUpperCase()).join('') || '?';
/** The colour of a face; names that hardly differ, as guest1 and guest2, are far from each other. */
export const hue = (name) => ([...name].reduce((h, c) => (h * 31 + c.codePointAt(0)) % 360, 7) * 137) % 360;

/** A name for URLs, of what people call themselves; '' where nothing of it can stand there. */
export const slug = (name) => name.normalize('NFKD').replace(/\s+/g, '_').replace(/[^A-Za-z0-9._-]/g, '').replace(/^[._-]+/, '').slice(0, 48);

/** No more of a name than the server takes: 128 bytes of UTF-8. */
export function clip(name) {
  let chars = [...name];
  while (new TextEncoder().encode(chars.join('')).length > 128) chars = chars.slice(0, -1);
  return chars.join('');
}

/** The claims of a JSON Web Token, which the server checks; {} of any other. */
export function claimsOf(token) {
  try {
    return JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0))));
  } catch {
    return {};
  }
}

/** Several names as people say them; of many, how many more. */
export function several(names) {
  const told = names.length > 4 ? names.slice(0, 2) : names, more = names.length - told.length;
  const parts = more ? [...told, `${more} others`] : told;
  return parts.length < 2 ? parts.join('') : `${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}`;
}
