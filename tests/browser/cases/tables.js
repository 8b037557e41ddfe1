// Numbers of a whole run: header, measures, curves, layers.
'use strict';
const assert = require('assert');
const {skip, text} = require('../actions.js');

// A table's cells, as text.
const table = (page, selector) =>
  page.evaluate(
    which =>
      [...document.querySelectorAll(`${which} tr`)].map(row =>
        [...row.children].map(cell => cell.textContent.replace(/\u00a0/g, ' ').trim())
      ),
    selector
  );

const value = cell => parseFloat(cell.replace(/,/g, '').replace('−', '-'));

module.exports = {
  'the header has the accuracy and the errors of logits.npy': async ({open, run}) => {
    const page = await open(),
      header = (await text(page, '#headline')).replace(/\s+/g, ' ');
    assert(header.includes(`accuracy ${(100 * run.accuracy).toFixed(2)} %`), header);
    assert(header.includes(`errors ${run.wrong.length.toLocaleString('en-US')} of ${run.n.toLocaleString('en-US')}`), header);
  },

  'percentages are written as printf writes them': async ({open}) => {
    const page = await open(),
      written = await page.evaluate(() => [29 / 32, 27 / 32, 31 / 32, 0.33335, 0.5, 1].map(share => percent(share)));
    assert.deepStrictEqual(
      written.map(each => each.replace('\u00a0', ' ')),
      ['90.62 %', '84.38 %', '96.88 %', '33.34 %', '50.00 %', '100.00 %']
    );
    assert.strictEqual(await page.evaluate(() => quantity(90.625, '%')), '90.62\u00a0%');
  },

  'measures stand beside the untrained network and the raw pixels': async ({open, run}) => {
    const page = await open(),
      [head, ...rows] = await table(page, '#measures');
    assert.deepStrictEqual(head.slice(0, 4), ['measure', 'this run', 'untrained', 'raw pixels']);
    const accuracy = rows.find(row => /^(test )?accuracy$/i.test(row[0]));
    assert(accuracy, rows.map(row => row[0]).join());
    assert(Math.abs(value(accuracy[1]) - 100 * run.accuracy) < 0.0051, accuracy.join(' | '));
    assert(rows.some(row => row[2] !== '–') && rows.some(row => row[3] !== '–'), 'no baseline');
  },

  'a measure that the pixels reach says so': async ({open}) => {
    const page = await open(),
      measures = await page.evaluate(() => dlvizReport.runs[0].measures);
    const [, ...rows] = await table(page, '#measures');
    measures.forEach((each, k) => {
      if (!/accuracy|preservation|trustworthiness|continuity|silhouette/.test(each.name)) return;
      const reached = [each.untrained, each.pixels].some(base => base !== null && base !== undefined && base >= each.value);
      assert.strictEqual(rows[k][rows[k].length - 1].includes('as much'), reached, rows[k].join(' | '));
    });
  },

  'the curves as a table are history.csv': async ({open, run}) => {
    const page = await open();
    await page.click('#curves summary');
    const [head, ...rows] = await table(page, '#curves');
    assert.strictEqual(rows.length, run.history.length);
    const losses = Object.keys(run.history[0]).filter(name => /loss$/.test(name) && Number.isFinite(run.history[0][name]));
    assert(losses.length > 0);
    for (const name of losses) {
      const column = rows.map(row => row.map(value)),
        found = head.findIndex(
          (_, k) => k > 0 && run.history.every((entry, e) => Math.abs(column[e][k] - entry[name]) <= 6e-4 * Math.abs(entry[name]))
        );
      assert(found > 0, `no column has the ${name} of history.csv: ${rows.slice(0, 3).join(' | ')}`);
    }
  },

  'a line in the curves marks the epoch that is shown': async ({open}) => {
    const page = await open(),
      last = await page.evaluate(() => {
        const lines = [...document.querySelectorAll('#curves .now')];
        return lines.map(line => [line.getAttribute('visibility'), Number(line.getAttribute('x1'))]);
      });
    if (last.length === 0) skip('the page has no curves');
    const dots = await page.evaluate(() =>
      Math.max(...[...document.querySelectorAll('#curves circle')].map(dot => Number(dot.getAttribute('cx'))))
    );
    for (const [visibility, x] of last) assert(visibility === 'visible' && Math.abs(x - dots) < 0.01, `${x}, not ${dots}`);
    await page.evaluate(() => setFrame(0));
    const first = await page.evaluate(() => [
      dlvizReport.runs[0].frames[0].epoch,
      document.querySelector('#curves .now').getAttribute('visibility'),
    ]);
    if (first[0] === 0) assert.strictEqual(first[1], 'hidden');
  },

  'the layers with their shares of the parameters': async ({open, run}) => {
    const page = await open(),
      [head, ...rows] = await table(page, '#layers');
    assert.deepStrictEqual(head, ['layer', 'type', 'output', 'parameters', 'share']);
    const total = rows.pop(),
      parameters = rows.map(row => (row[3] ? value(row[3]) : 0)),
      sum = parameters.reduce((a, b) => a + b, 0);
    assert.strictEqual(value(total[3]), sum);
    if (run.summary.network && run.summary.network.parameters) assert.strictEqual(sum, run.summary.network.parameters);
    rows.forEach((row, k) => assert(!row[4] || Math.abs(value(row[4]) - (100 * parameters[k]) / sum) < 0.051, row.join(' | ')));
    const marked = await page.evaluate(() =>
      [...document.querySelectorAll('#layers .marked th')].map(each => each.firstChild.textContent)
    );
    assert.deepStrictEqual(marked, [run.summary.network.layer]);
  },

  'what else the run says of itself': async ({open}) => {
    const page = await open(),
      facts = await page.evaluate(() => dlvizReport.runs[0].facts);
    const shown = await page.evaluate(() =>
      [...document.querySelectorAll('#facts div')].map(each => [...each.children].map(part => part.textContent))
    );
    assert.deepStrictEqual(
      shown.map(([name, value_]) => [name, value_.replace(/^[\d,]+$/, digits => digits.replace(/,/g, ''))]),
      facts
    );
  },
};
