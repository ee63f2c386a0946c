// A renamed column and a view over it.
exports.up = (pgm) => {
  pgm.renameColumn('wagons', 'label', 'plate');
  pgm.addColumn('wagons', { axles: { type: 'int', notNull: true, default: 4 } });
  pgm.createView('long_wagons', {}, 'SELECT id, plate FROM wagons WHERE axles > 4');
};
