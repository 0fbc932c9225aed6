/* A module for Python whose function leaks. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <fcntl.h>

#define FRAME __attribute__((noipa))

static FRAME int leak(void)
{
	int descriptor = open("/dev/null", O_RDONLY); /* LEAK */

	if (descriptor < 0)
		exit(99);
	return descriptor;
}

static FRAME PyObject *take(PyObject *module, PyObject *nothing)
{
	(void)module;
	(void)nothing;
	return PyLong_FromLong(leak());
}

static PyMethodDef methods[] = {
	{ "take", take, METH_NOARGS, "Opens and forgets." },
	{ NULL, NULL, 0, NULL },
};

static struct PyModuleDef definition = { PyModuleDef_HEAD_INIT, "extension", NULL, -1, methods, NULL, NULL, NULL, NULL };

PyMODINIT_FUNC PyInit_extension(void)
{
	return PyModule_Create(&definition);
}
