// The confusion matrix and the classes: what they select and count.
'use strict';
const assert = require('assert');
const {state, text, pointAt, selected, matrix, galleryPoints} = require('../actions.js');

const cell = (truth, said) => `.matrix button[data-cell="${truth} ${said}"]`;

function largestConfusion(run) {
  const counts = run.confusion();
  let best = [0, 1];
  counts.forEach((row, truth) =>
    row.forEach((value, said) => {
      if (truth !== said && value > counts[best[0]][best[1]]) best = [truth, said];
    })
  );
  return [...best, counts[best[0]][best[1]]];
}

module.exports = {
  'the matrix counts labels.npy and logits.npy': async ({open, run}) => {
    const page = await open();
    assert.deepStrictEqual(await matrix(page, run.numClasses), run.confusion());
    const recalls = await page.evaluate(() =>
      [...document.querySelectorAll('.matrix .recall')].map(each => parseFloat(each.textContent))
    );
    run.confusion().forEach((row, c) => {
      const wanted = (100 * row[c]) / row.reduce((sum, value) => sum + value, 0);
      assert(Math.abs(recalls[c] - wanted) < 0.0051, `recall of ${c}: ${recalls[c]}, not ${wanted}`);
    });
  },

  'a cell selects its images, and lets go of them': async ({open, run}) => {
    const page = await open(),
      [truth, said, count] = largestConfusion(run);
    await page.click(cell(truth, said));
    const wanted = run.wrong.filter(i => run.labels[i] === truth && run.said[i] === said);
    assert.deepStrictEqual(await selected(page), wanted);
    assert.deepStrictEqual(
      (await galleryPoints(page)).sort((a, b) => a - b),
      wanted.slice(0, 60)
    );
    assert((await page.getAttribute(cell(truth, said), 'aria-pressed')) === 'true');
    assert((await text(page, '#selected')).startsWith(`${count} of `));
    assert.strictEqual(await text(page, '#gallery-title'), `True ${truth}, predicted ${said}`);
    assert((await text(page, '#status')).includes(`${count} image`));
    await page.click(cell(truth, said));
    assert.strictEqual((await selected(page)).length, run.n);
  },

  'a row or column selects a class': async ({open, run}) => {
    const page = await open();
    await page.click(cell(3, -1));
    assert.deepStrictEqual(
      await selected(page),
      [...run.labels.keys()].filter(i => run.labels[i] === 3)
    );
    await page.click(cell(-1, 5));
    assert.deepStrictEqual(
      await selected(page),
      [...run.labels.keys()].filter(i => run.said[i] === 5)
    );
  },

  'what is not selected is dimmed, and cannot be pointed at': async ({open, run}) => {
    const page = await open(null, {hash: '#color=errors'}),
      [truth, said] = largestConfusion(run);
    await page.click(cell(truth, said));
    const chosen = await selected(page);
    for (const other of [...run.labels.keys()].filter(i => run.labels[i] === (truth + 5) % 10).slice(0, 20)) {
      await pointAt(page, other);
      const hover = await state(page, 'hover');
      assert(hover === -1 || chosen.includes(hover), `${hover} is pointed at`);
    }
    await pointAt(page, chosen[0]);
    assert(chosen.includes(await state(page, 'hover')));
  },

  'classes can be hidden and shown again': async ({open, run}) => {
    const page = await open();
    await page.click('#legend [data-class="4"]');
    assert.strictEqual(await page.getAttribute('#legend [data-class="4"]', 'aria-pressed'), 'false');
    assert.deepStrictEqual(
      await selected(page),
      [...run.labels.keys()].filter(i => run.labels[i] !== 4)
    );
    const counts = run.confusion([...run.labels.keys()].filter(i => run.labels[i] !== 4));
    assert.deepStrictEqual(await matrix(page, run.numClasses), counts);
    await page.click('#legend [data-class="4"]');
    assert.strictEqual((await selected(page)).length, run.n);
  },

  'a class alone: none, then it, or a double click': async ({open, run}) => {
    const page = await open(),
      alone = [...run.labels.keys()].filter(i => run.labels[i] === 7);
    await page.click('#none');
    assert.deepStrictEqual(await selected(page), []);
    await page.click('#legend [data-class="7"]');
    assert.deepStrictEqual(await selected(page), alone);
    await page.click('#all');
    assert.strictEqual((await selected(page)).length, run.n);
    await page.dblclick('#legend [data-class="7"]');
    assert.deepStrictEqual(await selected(page), alone);
  },

  'the legend counts the classes': async ({open, run}) => {
    const page = await open(),
      counts = await page.evaluate(() =>
        [...document.querySelectorAll('#legend small')].map(each => Number(each.textContent.replace(/\D/g, '')))
      );
    for (let c = 0; c < run.numClasses; c++) assert.strictEqual(counts[c], run.labels.filter(label => label === c).length);
  },

  'the next error stays in the selection': async ({open, run}) => {
    const page = await open(),
      [truth, said] = largestConfusion(run);
    await page.click(cell(truth, said));
    await page.click('#next-error');
    const i = await state(page, 'point');
    assert(run.labels[i] === truth && run.said[i] === said);
  },

  'Clear selection clears it': async ({open, run}) => {
    const page = await open();
    assert(await page.locator('#clear').isDisabled());
    await page.click(cell(2, -1));
    await page.click('#clear');
    assert.strictEqual((await selected(page)).length, run.n);
    assert.strictEqual(await state(page, 'cell'), null);
    assert.strictEqual(await text(page, '#selected'), '');
  },
};
