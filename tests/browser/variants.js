// variants.js - pages with other data in a page's template: parts left out, many classes, many points, odd names.
'use strict';
const fs = require('fs');
const os = require('os');
const path = require('path');

const BEGIN = '<script type="application/json" id="data">',
  SPRITE = '<script type="text/plain" id="sprite">',
  END = '</script>';

function cut(html, begin) {
  const from = html.indexOf(begin) + begin.length,
    to = html.indexOf(END, from);
  return [html.slice(0, from), html.slice(from, to), html.slice(to)];
}

// A page like `file`, whose data `change` has changed; `withImages` false leaves out the thumbnails too.
function vary(file, name, change) {
  const [head, json, rest] = cut(fs.readFileSync(file, 'utf8'), BEGIN),
    data = JSON.parse(json);
  change(data);
  let tail = rest;
  if (!data.sprite) {
    const [before, , after] = cut(tail, SPRITE);
    tail = before + after;
  }
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'dlviz-browser-')),
    target = path.join(folder, `${name}.html`);
  fs.writeFileSync(target, head + JSON.stringify(data).replace(/<\//g, '<\\/') + tail);
  return {target, remove: () => fs.rmSync(folder, {recursive: true})};
}

const decode = text => new Uint8Array(Buffer.from(text, 'base64'));
const encode = array => Buffer.from(array.buffer, array.byteOffset, array.byteLength).toString('base64');
const words = text => new Uint16Array(decode(text).buffer);

// The numbers of `text` again and again, until there are `count` points of `each` of them.
function repeated(text, Type, count, each, move = value => value) {
  const source = new Type(decode(text).buffer),
    result = new Type(count * each);
  for (let i = 0; i < result.length; i++) result[i] = move(source[i % source.length], Math.floor(i / source.length));
  return encode(result);
}

module.exports = {vary, decode, encode, words, repeated};
