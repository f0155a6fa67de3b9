/* pvlib - a library that somebody dropped, or a package brought. */
int pv_loaded;
